"""Create a bucket in the S3 store of the environment, unless it exists: python make_bucket.py NAME."""

import os
import sys

from botocore.session import get_session

store = get_session().create_client("s3", endpoint_url=os.environ["S3_ENDPOINT_URL"])
if sys.argv[1] not in {each["Name"] for each in store.list_buckets()["Buckets"]}:
    store.create_bucket(Bucket=sys.argv[1])
