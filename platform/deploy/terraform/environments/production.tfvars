environment  = "production"
region       = "eu-central-1"
cidr         = "10.30.0.0/16"
zones        = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
nat_gateways = 3
nodes        = { types = ["m7g.xlarge"], min = 3, max = 12, capacity = "ON_DEMAND" }
database     = { min_units = 4, max_units = 32, instances = 2, backup_days = 35, protected = true }
cache        = { type = "cache.m7g.large", nodes = 2 }
stream       = { type = "kafka.m7g.large", brokers = 3, gigabytes = 500 }
