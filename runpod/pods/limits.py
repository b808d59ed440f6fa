"""Money and time: what is left of both, and the deadline that every pod is given, should the client be gone by then."""

from .basics import LIMIT, Failure, clock, span

LEAST_S = 300  # a pod that would have to end sooner is not rented


def check(session):
    """Raises once a limit is reached."""
    dollars, most = session.state.dollars(), session.config["limits", "max_usd"]
    if dollars >= most:
        raise Failure(LIMIT, f"limits.max_usd: ${dollars:.2f} of ${most:g} are spent; raise it and run the same "
                             "command again, it goes on with what is made")
    hours, longest = (clock.now() - session.state.contents.began) / 3600, session.config["limits", "max_hours"]
    if hours >= longest:
        raise Failure(LIMIT, f"limits.max_hours: {longest:g} hours are over; run the same command again, it goes on "
                             "with what is made")


def deadline(session, rate):
    """Seconds of the epoch at which a pod or cluster has to end: when the time is over, or the money would be, if all that
    is rented costs `rate` dollars an hour."""
    config, state = session.config, session.state
    now = clock.now()
    left = config["limits", "max_usd"] - state.dollars()
    by_money = now + left / rate * 3600
    by_time = state.contents.began + config["limits", "max_hours"] * 3600
    if by_money - now < LEAST_S and by_money < by_time:
        raise Failure(LIMIT, f"limits.max_usd: ${left:.2f} that are left pay all pods, ${rate:.2f} an hour, for "
                             f"{span(by_money - now)}; raise it")
    return int(min(by_money, by_time))
