from chalice import AuthResponse, Chalice, CognitoUserPoolAuthorizer, IAMAuthorizer

app = Chalice(app_name="authorizers")

POOL = CognitoUserPoolAuthorizer(
    "guests",
    header="X-Pool",
    provider_arns=[
        "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_guests",
        "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_staff",
    ],
)


@app.authorizer(ttl_seconds=10)
def doorkeeper(request):
    return AuthResponse(routes=["*"], principal_id="guest")


@app.authorizer()
def newcomer(request):
    return AuthResponse(routes=["*"], principal_id="guest")


@app.route("/own", authorizer=doorkeeper)
def own():
    return {}


@app.route("/new", authorizer=newcomer)
def new():
    return {}


@app.route("/pool", authorizer=POOL, methods=["GET"])
def pool():
    return {}


@app.route("/signed")
def signed():
    return {}


@app.route("/open", authorizer=IAMAuthorizer())
def open_to_all():
    return {}
