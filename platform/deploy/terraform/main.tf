# Lastmile on AWS: a network, a cluster, Postgres, objects with their notifications, and where wanted Redis and Kafka.
# An environment is a file of variables: terraform apply -var-file=environments/production.tfvars

locals {
  name = "lastmile-${var.environment}"
}

module "keys" {
  source = "./modules/keys"
  name   = local.name
}

module "network" {
  source       = "./modules/network"
  name         = local.name
  cidr         = var.cidr
  zones        = var.zones
  nat_gateways = var.nat_gateways
  key_arn      = module.keys.logs_arn
}

module "cluster" {
  source               = "./modules/cluster"
  name                 = local.name
  kubernetes_version   = var.kubernetes_version
  subnet_ids           = module.network.private_subnet_ids
  administrators_cidrs = var.administrators_cidrs
  nodes                = var.nodes
  key_arn              = module.keys.data_arn
  logs_key_arn         = module.keys.logs_arn
}

module "database" {
  source      = "./modules/database"
  name        = local.name
  vpc_id      = module.network.vpc_id
  subnet_ids  = module.network.private_subnet_ids
  clients     = module.cluster.security_group_id
  settings    = var.database
  key_arn     = module.keys.data_arn
  password    = ephemeral.random_password.database.result
  password_at = local.password_version
}

module "cache" {
  source     = "./modules/cache"
  count      = var.cache.nodes > 0 ? 1 : 0
  name       = local.name
  vpc_id     = module.network.vpc_id
  subnet_ids = module.network.private_subnet_ids
  clients    = module.cluster.security_group_id
  settings   = var.cache
  key_arn    = module.keys.data_arn
}

module "stream" {
  source       = "./modules/stream"
  count        = var.stream.brokers > 0 ? 1 : 0
  name         = local.name
  vpc_id       = module.network.vpc_id
  subnet_ids   = module.network.private_subnet_ids
  clients      = module.cluster.security_group_id
  settings     = var.stream
  key_arn      = module.keys.data_arn
  logs_key_arn = module.keys.logs_arn
  password     = ephemeral.random_password.stream.result
  password_at  = local.password_version
}

module "objects" {
  source  = "./modules/objects"
  name    = local.name
  key_arn = module.keys.data_arn
}
