from chalice import Chalice, CORSConfig

app = Chalice(app_name="cors")

BROWSERS = CORSConfig(
    allow_origin="https://guests.example.com",
    allow_headers=["X-Guest", "Authorization"],
    max_age=600,
    expose_headers=["X-Seat", "X-Room"],
    allow_credentials=True,
)


@app.route("/plain", cors=True)
def plain():
    return {}


@app.route("/tuned", methods=["GET", "POST"], cors=BROWSERS)
def tuned():
    return {}


@app.route("/tuned", methods=["PUT"])
def untuned():
    return {}


@app.route("/none")
def none():
    return {}


@app.route("/files/{proxy+}", methods=["GET", "HEAD"], cors=True)
def files():
    return {}
