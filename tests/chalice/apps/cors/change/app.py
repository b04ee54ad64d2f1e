from chalice import Chalice, CORSConfig

app = Chalice(app_name="cors")
app.api.cors = CORSConfig(allow_origin="https://everywhere.example.com")


@app.route("/plain")
def plain():
    return {}


@app.route("/tuned", methods=["GET"], cors=CORSConfig(max_age=0))
def tuned():
    return {}


@app.route("/none", cors=False)
def none():
    return {}


@app.route("/own", methods=["OPTIONS"], cors=False)
def own():
    return {}
