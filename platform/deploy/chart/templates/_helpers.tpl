{{- define "lastmile.labels" -}}
app.kubernetes.io/name: lastmile
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* What a process is selected by: dict "root" $ "process" "api". */}}
{{- define "lastmile.selector" -}}
app.kubernetes.io/name: lastmile
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .process }}
{{- end }}

{{- define "lastmile.metadata" -}}
name: {{ .root.Release.Name }}-{{ .process }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "lastmile.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .process }}
{{- end }}

{{- /* An image by digest, else by tag: dict "root" $ "image" "platform". */}}
{{- define "lastmile.image" -}}
{{- $image := index .root.Values.images .image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ required (printf "images.%s: expected a tag or a digest" .image) $image.tag }}
{{- end -}}
{{- end }}

{{- define "lastmile.pod" -}}
serviceAccountName: {{ .root.Release.Name }}-{{ .account }}
automountServiceAccountToken: {{ .token | default false }}
terminationGracePeriodSeconds: {{ .grace }}
securityContext: {{- include "lastmile.podSecurity" . | nindent 2 }}
{{- with .root.Values.images.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "lastmile.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "lastmile.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: { drop: [ALL] }
{{- end }}

{{- /* Of every container: who it is, what it may, and how it is set up. dict "root" $ "image" "platform". */}}
{{- define "lastmile.container" -}}
image: {{ include "lastmile.image" . }}
imagePullPolicy: {{ .root.Values.images.pullPolicy }}
securityContext: {{- include "lastmile.containerSecurity" . | nindent 2 }}
envFrom:
  - secretRef: { name: {{ required "secret: expected the name of an existing Secret" .root.Values.secret }} }
  - configMapRef: { name: {{ .root.Release.Name }}-settings }
{{- end }}

{{- define "lastmile.mounts" -}}
- { name: home, mountPath: /var/lib/lastmile }
- { name: tmp, mountPath: /tmp }
{{- end }}

{{- define "lastmile.volumes" -}}
- { name: home, emptyDir: {} }
- { name: tmp, emptyDir: {} }
{{- end }}

{{- /* Dagster's settings and workspace, in a DAGSTER_HOME of their own. */}}
{{- define "lastmile.dagsterMounts" -}}
- { name: dagster-home, mountPath: /var/lib/dagster }
- { name: dagster, mountPath: /var/lib/dagster/dagster.yaml, subPath: dagster.yaml, readOnly: true }
- { name: dagster, mountPath: /etc/lastmile/workspace.yaml, subPath: workspace.yaml, readOnly: true }
{{- end }}

{{- define "lastmile.dagsterVolumes" -}}
- { name: dagster-home, emptyDir: {} }
- name: dagster
  configMap: { name: {{ .Release.Name }}-dagster }
{{- end }}

{{- /* A change of what is mounted is a change of the pods. */}}
{{- define "lastmile.checksums" -}}
checksum/settings: {{ include (print .Template.BasePath "/settings.yaml") . | sha256sum }}
checksum/dagster: {{ include (print .Template.BasePath "/dagster.yaml") . | sha256sum }}
{{- end }}

{{- /* Replicas on different nodes and zones where there are several. */}}
{{- define "lastmile.spread" -}}
topologySpreadConstraints:
  {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "lastmile.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}
