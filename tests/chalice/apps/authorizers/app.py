from chalice import (
    AuthResponse,
    Chalice,
    CognitoUserPoolAuthorizer,
    CustomAuthorizer,
    IAMAuthorizer,
)

app = Chalice(app_name="authorizers")

POOL = CognitoUserPoolAuthorizer(
    "guests",
    provider_arns=["arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_guests"],
    scopes=["guests/read"],
)
ELSEWHERE = CustomAuthorizer(
    "elsewhere",
    header="X-Token",
    ttl_seconds=30,
    authorizer_uri=(
        "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
        "arn:aws:lambda:us-east-1:000000000000:function:elsewhere/invocations"
    ),
)


@app.authorizer()
def doorkeeper(request):
    return AuthResponse(routes=["*"], principal_id="guest")


@app.authorizer(name="porter", ttl_seconds=60, header="X-Word", execution_role="arn:aws:iam::000000000000:role/porter")
def second(request):
    return AuthResponse(routes=[], principal_id="guest")


@app.route("/own", authorizer=doorkeeper)
def own():
    return {}


@app.route("/porter", authorizer=second, api_key_required=True)
def guarded():
    return {}


@app.route("/pool", authorizer=POOL, methods=["GET"])
def pool():
    return {}


@app.route("/pool", authorizer=POOL.with_scopes(["guests/write"]), methods=["PUT"])
def write_pool():
    return {}


@app.route("/elsewhere", authorizer=ELSEWHERE)
def elsewhere():
    return {}


@app.route("/signed", authorizer=IAMAuthorizer())
def signed():
    return {}


@app.route("/open")
def open_to_all():
    return {}
