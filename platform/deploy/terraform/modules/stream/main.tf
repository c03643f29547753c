# Kafka, signed in to by roles of AWS.

variable "name" { type = string }
variable "vpc_id" { type = string }
variable "subnet_ids" { type = list(string) }
variable "clients" { type = string }
variable "key_arn" { type = string }
variable "logs_key_arn" { type = string }
variable "settings" { type = object({ type = string, brokers = number, gigabytes = number }) }

resource "aws_security_group" "this" {
  name        = "${var.name}-stream"
  description = "Kafka, for the cluster only"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  security_group_id            = aws_security_group.this.id
  description                  = "Pods of the cluster, signed in by IAM"
  referenced_security_group_id = var.clients
  from_port                    = 9098
  to_port                      = 9098
  ip_protocol                  = "tcp"
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/msk/${var.name}"
  retention_in_days = 365
  kms_key_id        = var.logs_key_arn
}

resource "aws_msk_cluster" "this" {
  cluster_name           = var.name
  kafka_version          = "3.8.x"
  number_of_broker_nodes = var.settings.brokers
  enhanced_monitoring    = "PER_TOPIC_PER_PARTITION" # what scales consumers is the lag
  broker_node_group_info {
    instance_type   = var.settings.type
    client_subnets  = var.subnet_ids
    security_groups = [aws_security_group.this.id]
    storage_info {
      ebs_storage_info { volume_size = var.settings.gigabytes }
    }
  }
  client_authentication {
    unauthenticated = false
    sasl { iam = true }
  }
  encryption_info {
    encryption_at_rest_kms_key_arn = var.key_arn
    encryption_in_transit {
      client_broker = "TLS"
      in_cluster    = true
    }
  }
  logging_info {
    broker_logs {
      cloudwatch_logs {
        enabled   = true
        log_group = aws_cloudwatch_log_group.this.name
      }
    }
  }
}

output "bootstrap_servers" { value = aws_msk_cluster.this.bootstrap_brokers_sasl_iam }
output "resource_arns" {
  value = [
    aws_msk_cluster.this.arn,
    "${replace(aws_msk_cluster.this.arn, ":cluster/", ":topic/")}/*",
    "${replace(aws_msk_cluster.this.arn, ":cluster/", ":group/")}/*",
  ]
}
