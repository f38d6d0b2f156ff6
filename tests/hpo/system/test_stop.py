import os
import signal
import threading
import time

from hpo.system.stop import StopFlag


def test_a_flag_is_set_by_signals_that_come_one_upon_another():
    """Where a handler interrupts the one before, a threading.Event hangs or recurses without end."""
    flag, calls = StopFlag(), 0

    def handle(_number, _frame):
        nonlocal calls
        calls += 1
        flag.set()

    previous = signal.signal(signal.SIGUSR1, handle)
    done = threading.Event()

    def send():
        while not done.is_set():
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(1e-5)  # handlers nest, yet not without end

    sender = threading.Thread(target=send, daemon=True)
    try:
        sender.start()
        until = time.monotonic() + 60
        while calls < 100 and time.monotonic() < until:
            flag.wait(0.001)
    finally:
        done.set()
        sender.join()
        signal.signal(signal.SIGUSR1, previous)
    assert flag.is_set()
    assert calls >= 100


def test_a_wait_ends_when_the_flag_is_set_or_the_time_is_over():
    flag = StopFlag()
    started = time.monotonic()
    assert not flag.wait(0.1)
    assert time.monotonic() - started >= 0.1
    threading.Timer(0.1, flag.set).start()
    assert flag.wait(60)
    assert time.monotonic() - started < 30
