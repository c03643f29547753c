# Who may do what, by the service accounts of the chart: no key of AWS is ever given to a pod.

locals {
  accounts = {
    platform = { names = ["code-server", "daemon", "runs"], policy = data.aws_iam_policy_document.platform.json }
    api      = { names = ["api"], policy = data.aws_iam_policy_document.platform.json }
  }
}

data "aws_iam_policy_document" "trust" {
  for_each = local.accounts
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [module.cluster.identity_provider_arn]
    }
    condition {
      test     = "StringEquals"
      variable = "${module.cluster.identity_provider}:sub"
      values   = [for name in each.value.names : "system:serviceaccount:${var.namespace}:${var.namespace}-${name}"]
    }
    condition {
      test     = "StringEquals"
      variable = "${module.cluster.identity_provider}:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "platform" {
  statement {
    sid       = "ListObjects"
    actions   = ["s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketVersioning"]
    resources = [module.objects.bucket_arn]
  }
  statement {
    sid       = "ReadAndWriteObjects"
    actions   = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = ["${module.objects.bucket_arn}/*"]
  }
  statement {
    sid       = "HearOfDrops"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"]
    resources = [module.objects.queue_arn]
  }
  statement {
    sid       = "UseTheKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [module.keys.data_arn]
  }
  statement {
    sid       = "ReadTheSecret"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.lastmile.arn]
  }
}

resource "aws_iam_role" "account" {
  for_each           = local.accounts
  name               = "${local.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.trust[each.key].json
}

resource "aws_iam_role_policy" "account" {
  for_each = local.accounts
  role     = aws_iam_role.account[each.key].id
  policy   = each.value.policy
}
