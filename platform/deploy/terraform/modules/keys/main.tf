# One key for data, one for logs, which CloudWatch must be let use.

variable "name" { type = string }

data "aws_caller_identity" "this" {}
data "aws_region" "this" {}

data "aws_iam_policy_document" "account" {
  # checkov:skip=CKV_AWS_109: the policy of a key; without the account as its owner it could not be managed
  # checkov:skip=CKV_AWS_111: as above
  # checkov:skip=CKV_AWS_356: in the policy of a key, * is that key
  statement {
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${data.aws_caller_identity.this.account_id}:root"]
    }
  }
}

data "aws_iam_policy_document" "data" {
  # checkov:skip=CKV_AWS_109: as above
  # checkov:skip=CKV_AWS_111: as above
  # checkov:skip=CKV_AWS_356: as above
  source_policy_documents = [data.aws_iam_policy_document.account.json]
  statement {
    sid       = "NotificationsOfObjects"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

data "aws_iam_policy_document" "logs" {
  # checkov:skip=CKV_AWS_109: as above
  # checkov:skip=CKV_AWS_111: as above
  # checkov:skip=CKV_AWS_356: as above
  source_policy_documents = [data.aws_iam_policy_document.account.json]
  statement {
    sid       = "Logs"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["logs.${data.aws_region.this.region}.amazonaws.com"]
    }
  }
}

resource "aws_kms_key" "data" {
  description         = "${var.name}: database, objects, queues, secrets"
  enable_key_rotation = true
  policy              = data.aws_iam_policy_document.data.json
}

resource "aws_kms_key" "logs" {
  description         = "${var.name}: logs"
  enable_key_rotation = true
  policy              = data.aws_iam_policy_document.logs.json
}

resource "aws_kms_alias" "data" {
  name          = "alias/${var.name}-data"
  target_key_id = aws_kms_key.data.key_id
}

output "data_arn" { value = aws_kms_key.data.arn }
output "logs_arn" { value = aws_kms_key.logs.arn }
