import os
import signal

from inference.evaluation.stopping import stop_signals


def test_the_first_signal_asks_and_the_second_would_end_the_process():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        with stop_signals() as should_stop:
            assert not should_stop()
            os.kill(os.getpid(), number)
            assert should_stop()
            assert signal.getsignal(number) == signal.SIG_DFL
        assert {each: signal.getsignal(each) for each in before} == before
