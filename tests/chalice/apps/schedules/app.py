from chalice import Chalice, Cron, Rate

app = Chalice(app_name="schedules")


@app.schedule(Rate(5, unit=Rate.MINUTES))
def often(event):
    return {}


@app.schedule(Cron(15, 10, "?", "*", "MON-FRI", "*"), description="Counts who came.")
def morning(event):
    return {}


@app.schedule("rate(1 hour)", name="hour")
def hourly(event):
    return {}


@app.on_cw_event({"source": ["aws.ec2"], "detail-type": ["EC2 Instance State-change Notification"]})
def machines(event):
    return {}


@app.on_cw_event({"source": ["guests"], "detail": {"seats": [{"numeric": [">", 1]}]}}, name="parties")
def large_parties(event):
    return {}
