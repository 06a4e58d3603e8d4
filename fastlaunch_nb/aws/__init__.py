"""The only importer of boto3 and botocore: sessions, targets, read-only clients, paging, errors."""
