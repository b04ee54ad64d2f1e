import boto3
from chalice import Chalice

app = Chalice(app_name="policies")

s3 = boto3.client("s3")


@app.route("/")
def index():
    s3.get_object(Bucket="guests", Key="one")
    return {}


@app.lambda_function()
def job(event, context):
    boto3.client("ssm").get_parameters(Names=["guests"])
