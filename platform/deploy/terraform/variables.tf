variable "environment" {
  description = "Name of the installation; every resource is called lastmile-<environment>."
  type        = string
  validation {
    condition     = contains(["dev", "staging", "production"], var.environment)
    error_message = "Expected dev, staging or production."
  }
}

variable "region" {
  description = "AWS region of everything."
  type        = string
}

variable "cidr" {
  description = "Addresses of the network, a /16 of its own for each environment."
  type        = string
}

variable "zones" {
  description = "Availability zones: 2 at least, 3 where it must survive the loss of one without a pause."
  type        = list(string)
  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 3
    error_message = "Expected 2 or 3."
  }
}

variable "nat_gateways" {
  description = "One for all zones, or one for each, which costs more and survives the loss of a zone."
  type        = number
}

variable "kubernetes_version" {
  description = "Version of the cluster."
  type        = string
  default     = "1.33"
}

variable "administrators_cidrs" {
  description = "Addresses from which the cluster's API may be reached; none means from inside the network only."
  type        = list(string)
  default     = []
}

variable "nodes" {
  description = "The machines of the cluster."
  type        = object({ types = list(string), min = number, max = number, capacity = string })
}

variable "database" {
  description = "Aurora Postgres: capacity units between which it scales, and how many instances (the second takes over)."
  type        = object({ min_units = number, max_units = number, instances = number, backup_days = number, protected = bool })
}

variable "cache" {
  description = "Redis for features online; nodes = 0 leaves it out, and features are read from Postgres."
  type        = object({ type = string, nodes = number })
}

variable "stream" {
  description = "Kafka for streams; brokers = 0 leaves it out."
  type        = object({ type = string, brokers = number, gigabytes = number })
}

variable "namespace" {
  description = "Namespace of the chart, and the name of its release."
  type        = string
  default     = "lastmile"
}
