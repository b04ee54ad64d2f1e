import boto3
from chalice import Chalice

app = Chalice(app_name="policies")

s3 = boto3.client("s3")
table = boto3.client("dynamodb")


@app.route("/")
def index():
    s3.put_object(Bucket="guests", Key="one", Body=b"")
    s3.list_objects_v2(Bucket="guests")
    return {}


@app.lambda_function()
def job(event, context):
    table.get_item(TableName="guests", Key={})
    remember()


def remember():
    table.put_item(TableName="guests", Item={})


@app.on_sqs_message(queue="policies")
def listen(event):
    boto3.client("sqs").send_message(QueueUrl="", MessageBody="")
