# Ends this process together with the one that started it, where the system can: on Linux.
def end_with_parent():
    try:
        import ctypes
        import signal

        # PR_SET_PDEATHSIG
        ctypes.CDLL(None, use_errno=True).prctl(1, int(signal.SIGKILL), 0, 0, 0)
    except Exception:
        pass


end_with_parent()

