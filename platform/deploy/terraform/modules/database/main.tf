# Aurora Postgres that scales with its load. Restoring to a point in time is Aurora's own, over backup_days.

variable "name" { type = string }
variable "vpc_id" { type = string }
variable "subnet_ids" { type = list(string) }
variable "clients" { type = string }
variable "key_arn" { type = string }
variable "settings" {
  type = object({ min_units = number, max_units = number, instances = number, backup_days = number, protected = bool })
}
variable "password" {
  type      = string
  sensitive = true
  ephemeral = true
}
variable "password_at" { type = number }

resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

resource "aws_security_group" "this" {
  name        = "${var.name}-database"
  description = "Postgres, for the cluster only"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  security_group_id            = aws_security_group.this.id
  description                  = "Pods of the cluster"
  referenced_security_group_id = var.clients
  from_port                    = 5432
  to_port                      = 5432
  ip_protocol                  = "tcp"
}

resource "aws_rds_cluster_parameter_group" "this" {
  name   = var.name
  family = "aurora-postgresql17"
  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }
  parameter {
    name  = "log_min_duration_statement"
    value = "5000"
  }
  parameter {
    name  = "log_statement"
    value = "ddl"
  }
}

resource "aws_rds_cluster" "this" {
  # checkov:skip=CKV_AWS_162: the platform signs in by password, which Secrets Manager keeps
  # checkov:skip=CKV2_AWS_8: Aurora's own backups restore to any second of backup_days
  # checkov:skip=CKV_AWS_139: false in dev only, which is made and destroyed daily
  cluster_identifier              = var.name
  engine                          = "aurora-postgresql"
  engine_version                  = "17.5"
  database_name                   = "lastmile"
  master_username                 = "lastmile"
  master_password_wo              = var.password
  master_password_wo_version      = var.password_at
  db_subnet_group_name            = aws_db_subnet_group.this.name
  vpc_security_group_ids          = [aws_security_group.this.id]
  db_cluster_parameter_group_name = aws_rds_cluster_parameter_group.this.name
  storage_encrypted               = true
  kms_key_id                      = var.key_arn
  backup_retention_period         = var.settings.backup_days
  copy_tags_to_snapshot           = true
  deletion_protection             = var.settings.protected
  skip_final_snapshot             = !var.settings.protected
  final_snapshot_identifier       = "${var.name}-final"
  enabled_cloudwatch_logs_exports = ["postgresql"]
  serverlessv2_scaling_configuration {
    min_capacity = var.settings.min_units
    max_capacity = var.settings.max_units
  }
}

data "aws_iam_policy_document" "monitoring" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["monitoring.rds.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "monitoring" {
  name               = "${var.name}-database-monitoring"
  assume_role_policy = data.aws_iam_policy_document.monitoring.json
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

resource "aws_rds_cluster_instance" "this" {
  count                           = var.settings.instances
  identifier                      = "${var.name}-${count.index}"
  cluster_identifier              = aws_rds_cluster.this.id
  engine                          = aws_rds_cluster.this.engine
  instance_class                  = "db.serverless"
  auto_minor_version_upgrade      = true
  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.key_arn
  monitoring_interval             = 60
  monitoring_role_arn             = aws_iam_role.monitoring.arn
}

output "host" { value = aws_rds_cluster.this.endpoint }
