# The chart's values that the infrastructure decides, in the chart's own shape: JSON is YAML, so
#   terraform output -json chart_values > infrastructure.yaml && helm upgrade --values infrastructure.yaml ...
output "chart_values" {
  description = "Values for the chart."
  value = {
    store         = { url = "s3://${module.objects.bucket}" }
    notifications = { url = module.objects.queue_url }
    settings      = merge({ AWS_REGION = var.region }, [for stream in module.stream : stream.settings]...)
    serviceAccounts = {
      platform = { "eks.amazonaws.com/role-arn" = aws_iam_role.account["platform"].arn }
      api      = { "eks.amazonaws.com/role-arn" = aws_iam_role.account["api"].arn }
    }
    networkPolicy = { dataCidrs = [var.cidr] }
  }
}

output "secret" {
  description = "The entry of Secrets Manager that the chart's Secret is made from."
  value       = aws_secretsmanager_secret.lastmile.name
}

output "cluster" {
  description = "For `aws eks update-kubeconfig --name`."
  value       = module.cluster.name
}
