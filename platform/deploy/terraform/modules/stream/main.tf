# Kafka, signed in to by a name and a password (SCRAM), which every client of Kafka knows how to do.

variable "name" { type = string }
variable "vpc_id" { type = string }
variable "subnet_ids" { type = list(string) }
variable "clients" { type = string }
variable "key_arn" { type = string }
variable "logs_key_arn" { type = string }
variable "password" {
  type      = string
  ephemeral = true
}
variable "password_at" { type = number }
variable "settings" { type = object({ type = string, brokers = number, gigabytes = number }) }

resource "aws_security_group" "this" {
  name        = "${var.name}-stream"
  description = "Kafka, for the cluster only"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  security_group_id            = aws_security_group.this.id
  description                  = "Pods of the cluster, by TLS and SCRAM"
  referenced_security_group_id = var.clients
  from_port                    = 9096
  to_port                      = 9096
  ip_protocol                  = "tcp"
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/msk/${var.name}"
  retention_in_days = 365
  kms_key_id        = var.logs_key_arn
}

# Topics are made on purpose; what a stream did not read is kept for longer than any outage lasts.
resource "aws_msk_configuration" "this" {
  name              = var.name
  kafka_versions    = ["3.8.x"]
  server_properties = <<-END
    auto.create.topics.enable=false
    default.replication.factor=${min(var.settings.brokers, 3)}
    min.insync.replicas=${min(var.settings.brokers, 3) > 1 ? 2 : 1}
    num.partitions=24
    log.retention.hours=168
    message.max.bytes=10485760
  END
}

resource "aws_msk_cluster" "this" {
  cluster_name           = var.name
  kafka_version          = "3.8.x"
  number_of_broker_nodes = var.settings.brokers
  enhanced_monitoring    = "PER_TOPIC_PER_PARTITION" # what scales consumers is the lag
  configuration_info {
    arn      = aws_msk_configuration.this.arn
    revision = aws_msk_configuration.this.latest_revision
  }
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
    sasl { scram = true }
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

# Kafka reads the user from a secret of its own: its name has to begin so, and its key must not be AWS's.
resource "aws_secretsmanager_secret" "user" {
  # checkov:skip=CKV2_AWS_57: a new password is a higher password_version, applied with a rolling restart
  name       = "AmazonMSK_${var.name}"
  kms_key_id = var.key_arn
}

resource "aws_secretsmanager_secret_version" "user" {
  secret_id                = aws_secretsmanager_secret.user.id
  secret_string_wo         = jsonencode({ username = local.user, password = var.password })
  secret_string_wo_version = var.password_at
}

data "aws_iam_policy_document" "user" {
  statement {
    sid       = "KafkaReadsIt"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.user.arn]
    principals {
      type        = "Service"
      identifiers = ["kafka.amazonaws.com"]
    }
  }
}

resource "aws_secretsmanager_secret_policy" "user" {
  secret_arn = aws_secretsmanager_secret.user.arn
  policy     = data.aws_iam_policy_document.user.json
}

resource "aws_msk_scram_secret_association" "user" {
  cluster_arn     = aws_msk_cluster.this.arn
  secret_arn_list = [aws_secretsmanager_secret.user.arn]
  depends_on      = [aws_secretsmanager_secret_version.user, aws_secretsmanager_secret_policy.user]
}

locals {
  user = "lastmile"
}

# What clients connect with, by the names that the platform's settings have.
output "settings" {
  value = {
    LASTMILE_KAFKA_URL               = aws_msk_cluster.this.bootstrap_brokers_sasl_scram
    LASTMILE_KAFKA_SECURITY_PROTOCOL = "sasl_ssl"
    LASTMILE_KAFKA_SASL_MECHANISM    = "SCRAM-SHA-512"
    LASTMILE_KAFKA_SASL_USERNAME     = local.user
  }
}
