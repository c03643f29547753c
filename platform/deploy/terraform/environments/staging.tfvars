environment  = "staging"
region       = "eu-central-1"
cidr         = "10.20.0.0/16"
zones        = ["eu-central-1a", "eu-central-1b"]
nat_gateways = 1
nodes        = { types = ["m7g.large"], min = 2, max = 4, capacity = "ON_DEMAND" }
database     = { min_units = 1, max_units = 8, instances = 1, backup_days = 7, protected = true }
cache        = { type = "cache.t4g.small", nodes = 1 }
stream       = { type = "kafka.t3.small", brokers = 2, gigabytes = 50 }
