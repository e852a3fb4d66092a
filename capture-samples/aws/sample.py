"""moto's server, asked by boto3: AWS's query protocol (EC2, STS: the operation is a field of the form, or of the query) and its
JSON protocol (DynamoDB: it is in X-Amz-Target). One path, many operations. What was asked is noted where botocore sends it."""

import urllib.parse

HOSTS = ["aws.test"]
PORT = 5000
SPECS = []
COMPRESS = "gz"
ROUTES = ["/"]


def serve(lab, here):
    import pathlib
    import sys

    lab.serve(pathlib.Path(sys.prefix) / "bin/moto_server", "-H", "0.0.0.0", "-p", str(PORT), port=PORT)


def note(truth):
    from botocore.httpsession import URLLib3Session

    send = URLLib3Session.send

    def noted(session, request):
        response = send(session, request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        text = lambda value: value.decode() if isinstance(value, bytes) else value
        operation = None
        if "x-amz-target" in headers:
            operation = f"X-Amz-Target: {text(headers['x-amz-target'])}"
        elif request.body:
            fields = urllib.parse.parse_qs(text(request.body))
            operation = f"Action={fields['Action'][0]}"
        truth.add("boto3", request.method, request.url, response.status_code, text(headers.get("content-type", "")),
                  response.headers.get("Content-Type", ""), operation=operation)
        return response

    URLLib3Session.send = noted


def drive(truth):
    import boto3
    from botocore.exceptions import ClientError
    import urllib.request

    note(truth)
    base = f"http://aws.test:{PORT}"
    keys = {"endpoint_url": base, "region_name": "eu-west-1", "aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    ec2, dynamo, sts = (boto3.client(name, **keys) for name in ("ec2", "dynamodb", "sts"))

    ec2.describe_regions()
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    image = ec2.describe_images(ImageIds=["ami-12c6146b"])["Images"][0]["ImageId"]
    started = ec2.run_instances(ImageId=image, MinCount=3, MaxCount=3, SubnetId=subnet)["Instances"]
    ids = [i["InstanceId"] for i in started]
    for _ in range(6):
        ec2.describe_instances()
    for one in ids:
        ec2.describe_instances(InstanceIds=[one])
        ec2.create_tags(Resources=[one], Tags=[{"Key": "Name", "Value": "alice"}])
    ec2.stop_instances(InstanceIds=ids[:1])
    ec2.terminate_instances(InstanceIds=ids)
    for _ in range(2):
        try:
            ec2.describe_vpcs(VpcIds=["vpc-00000000"])
        except ClientError:
            pass
    ec2.describe_vpcs()
    sts.get_caller_identity()
    sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/reader", RoleSessionName="alice")

    dynamo.create_table(TableName="people", BillingMode="PAY_PER_REQUEST",
                        KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
                        AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}])
    dynamo.list_tables()
    for name in ("alice", "bob", "carol", "dave"):
        dynamo.put_item(TableName="people", Item={"name": {"S": name}, "mail": {"S": f"{name}@example.com"}})
        dynamo.get_item(TableName="people", Key={"name": {"S": name}})
    dynamo.query(TableName="people", KeyConditionExpression="#n = :n", ExpressionAttributeNames={"#n": "name"},
                 ExpressionAttributeValues={":n": {"S": "alice"}})
    dynamo.scan(TableName="people")
    dynamo.delete_item(TableName="people", Key={"name": {"S": "bob"}})
    for _ in range(2):
        try:
            dynamo.get_item(TableName="nothing", Key={"name": {"S": "x"}})
        except ClientError:
            pass

    # The query protocol by GET, as scripts of old have it.
    head = {"Authorization": "AWS4-HMAC-SHA256 Credential=testing/20260101/eu-west-1/ec2/aws4_request, SignedHeaders=host, Signature=00"}
    for action, more in (("DescribeRegions", ""), ("DescribeInstances", "&InstanceId.1=" + ids[0]), ("DescribeVpcs", ""),
                         ("DescribeRegions", ""), ("DescribeKeyPairs", "")):
        url = f"{base}/?Action={action}&Version=2016-11-15{more}"
        with urllib.request.urlopen(urllib.request.Request(url, headers=head)) as answer:
            truth.add("urllib", "GET", url, answer.status, "", answer.headers["Content-Type"], operation=f"?Action={action}")
            answer.read()
