# What every process needs in confidence: one secret, whose keys are variables of the environment. The database's
# password and Kafka's are made while it is applied and are not in the state; the cache's token is, since AWS takes it no other way.

locals {
  # One more makes a new password.
  password_version = 1
  database_url     = "postgresql://lastmile:${ephemeral.random_password.database.result}@${module.database.host}:5432/lastmile?sslmode=require"
  stream_passwords = { for stream in module.stream : "LASTMILE_KAFKA_SASL_PASSWORD" => ephemeral.random_password.stream.result }
  cache_urls       = { for cache in module.cache : "LASTMILE_REDIS_URL" => cache.url }
}

ephemeral "random_password" "database" {
  length  = 40
  special = false
}

ephemeral "random_password" "stream" {
  length  = 40
  special = false
}

ephemeral "random_password" "installation" {
  length  = 64
  special = false
}

resource "aws_secretsmanager_secret" "lastmile" {
  # checkov:skip=CKV2_AWS_57: a new password is a higher password_version, applied with a rolling restart
  name       = local.name
  kms_key_id = module.keys.data_arn
}

resource "aws_secretsmanager_secret_version" "lastmile" {
  secret_id = aws_secretsmanager_secret.lastmile.id
  secret_string_wo = jsonencode(merge(local.cache_urls, local.stream_passwords, {
    LASTMILE_DATABASE_URL = local.database_url
    LASTMILE_SECRET       = ephemeral.random_password.installation.result
  }))
  secret_string_wo_version = local.password_version
}
