from chalice import (
    AuthResponse,
    Chalice,
    CognitoUserPoolAuthorizer,
    CustomAuthorizer,
    CORSConfig,
    Cron,
    IAMAuthorizer,
    Rate,
)

from chalicelib.house import house
from chalicelib.jobs import jobs

app = Chalice(app_name="everything")
app.experimental_feature_flags.update(["WEBSOCKETS"])
app.register_blueprint(house, url_prefix="/house")
app.register_blueprint(jobs, name_prefix="nightly_")

BROWSERS = CORSConfig(allow_origin="https://guests.example.com", max_age=60)
POOL = CognitoUserPoolAuthorizer(
    "pool", provider_arns=["arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_guests"]
)
ELSEWHERE = CustomAuthorizer(
    "elsewhere",
    authorizer_uri=(
        "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
        "arn:aws:lambda:us-east-1:000000000000:function:elsewhere/invocations"
    ),
)


@app.authorizer()
def doorkeeper(request):
    return AuthResponse(routes=["*"], principal_id="guest")


@app.authorizer(ttl_seconds=5)
def porter(request):
    return AuthResponse(routes=["*"], principal_id="guest")


@app.route("/", cors=BROWSERS)
def index():
    """Greets."""
    return {}


@app.route("/own", authorizer=doorkeeper)
def own():
    return {}


@app.route("/porter", authorizer=porter, api_key_required=True)
def guarded():
    return {}


@app.route("/pool", authorizer=POOL, cors=True)
def pool():
    return {}


@app.route("/elsewhere", authorizer=ELSEWHERE)
def elsewhere():
    return {}


@app.route("/signed", authorizer=IAMAuthorizer(), methods=["POST", "PUT"])
def signed():
    return {}


@app.lambda_function()
def first(event, context):
    return {}


@app.lambda_function(name="second")
def number_two(event, context):
    return {}


@app.lambda_function()
def fourth(event, context):
    return {}


@app.schedule(Rate(1, unit=Rate.HOURS))
def hourly(event):
    return {}


@app.schedule(Cron(0, 6, "*", "*", "?", "*"), description="Opens.")
def morning(event):
    return {}


@app.on_cw_event({"source": ["guests"]})
def parties(event):
    return {}


@app.on_s3_event(bucket="everything-images", prefix="in/", suffix=".png")
def images(event):
    return {}


@app.on_s3_event(bucket="everything-images", prefix="texts/")
def texts(event):
    return {}


@app.on_sns_message(topic="everything-news")
def news(event):
    return {}


@app.on_sqs_message(queue="everything-orders", batch_size=5)
def orders(event):
    return {}


@app.on_kinesis_record(stream="everything-clicks")
def clicks(event):
    return {}


@app.on_dynamodb_record(
    stream_arn="arn:aws:dynamodb:us-east-1:000000000000:table/guests/stream/2026-01-01T00:00:00.000"
)
def rows(event):
    return {}


@app.on_ws_connect()
def come(event):
    pass


@app.on_ws_message()
def say(event):
    pass


@app.on_ws_disconnect()
def leave(event):
    pass
