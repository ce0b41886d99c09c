"""Blobs as objects of a bucket on any S3 server. Only `address` can be imported without loading boto3."""
