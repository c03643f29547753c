terraform {
  required_version = ">= 1.11"
  required_providers {
    aws    = { source = "hashicorp/aws", version = "~> 6.0" }
    random = { source = "hashicorp/random", version = "~> 3.7" }
    tls    = { source = "hashicorp/tls", version = "~> 4.0" }
  }
  # Bucket, key and region are given at `terraform init -backend-config=...`: the state knows the cache's token.
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = var.region
  default_tags {
    tags = { Project = "lastmile", Environment = var.environment, ManagedBy = "terraform" }
  }
}
