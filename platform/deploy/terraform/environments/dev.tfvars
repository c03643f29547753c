environment  = "dev"
region       = "eu-central-1"
cidr         = "10.10.0.0/16"
zones        = ["eu-central-1a", "eu-central-1b"]
nat_gateways = 1
nodes        = { types = ["m7g.large"], min = 1, max = 2, capacity = "SPOT" }
database     = { min_units = 0.5, max_units = 2, instances = 1, backup_days = 1, protected = false }
cache        = { type = "cache.t4g.micro", nodes = 0 }
stream       = { type = "kafka.t3.small", brokers = 0, gigabytes = 10 }
