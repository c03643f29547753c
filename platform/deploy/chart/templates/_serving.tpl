{{- /* A pod that ends leaves the service while its server still answers, hence the pause before SIGTERM. */}}
{{- define "lastmile.apiProbes" -}}
startupProbe: { httpGet: { path: /api/v1/health/live, port: http }, periodSeconds: 2, failureThreshold: 60 }
readinessProbe: { httpGet: { path: /api/v1/health/ready, port: http }, periodSeconds: 5, timeoutSeconds: 5 }
livenessProbe: { httpGet: { path: /api/v1/health/live, port: http }, periodSeconds: 15, timeoutSeconds: 5, failureThreshold: 4 }
lifecycle: { preStop: { exec: { command: [sleep, "10"] } } }
{{- end }}

{{- define "lastmile.apiService" }}
apiVersion: v1
kind: Service
metadata:
  {{- include "lastmile.metadata" . | nindent 2 }}
spec:
  selector: {{- include "lastmile.selector" . | nindent 4 }}
  ports:
    - { name: http, port: 80, targetPort: http }
{{- end }}

{{- define "lastmile.scaling" }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "lastmile.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{- include "lastmile.selector" . | nindent 6 }}
{{- with .values.autoscaling }}
{{- if .enabled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "lastmile.metadata" $ | nindent 2 }}
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: {{ $.root.Release.Name }}-{{ $.process }} }
  minReplicas: {{ .min }}
  maxReplicas: {{ .max }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: { type: Utilization, averageUtilization: {{ .cpuPercent }} }
  behavior:
    scaleDown: { stabilizationWindowSeconds: 300 }
{{- end }}
{{- end }}
{{- end }}
