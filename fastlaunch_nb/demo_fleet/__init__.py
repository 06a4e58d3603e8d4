"""The demo: a fleet with a past in the embedded EC2, and the way boto3 finds it."""
