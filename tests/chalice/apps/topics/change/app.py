from chalice import Chalice

app = Chalice(app_name="topics")


@app.on_sns_message(topic="topics-other")
def named(event):
    return {}


@app.on_sns_message(topic="arn:aws:sns:us-east-1:000000000000:topics-whole", name="whole")
def by_arn(event):
    return {}


@app.on_sns_message(topic="topics-named")
def added(event):
    return {}
