"""What a watched board shows."""

from firmware_bridge.csv_lines import CsvLines
from firmware_bridge.monitoring import Monitor


def test_values_rates_and_refusals():
    monitor = Monitor(CsvLines(("eda_us", "-", "skin_temp_c")), start_s=10.0)
    assert monitor.report(10.0).line() == (
        "    0.0 s  eda_us nothing yet (0.0/s)  skin_temp_c nothing yet (0.0/s)"
    )
    monitor.take(b"\n1,x,30\n2,x,31\n3,x,99\nboot\n" + b"7" * 600 + b"\n")
    report = monitor.report(12.0)
    assert report.values == {"eda_us": 3.0, "skin_temp_c": 31.0}
    assert report.rate_hz == {"eda_us": 1.5, "skin_temp_c": 1.0}
    assert (report.read, report.unreadable, report.too_long, report.out_of_range) == (3, 1, 1, 1)
    assert report.line() == (
        "    2.0 s  eda_us 3 uS (1.5/s)  skin_temp_c 31 degC (1.0/s)"
        "  unreadable, such as 'boot': 1  too long 1  out of range 1"
    )


def test_rates_are_of_the_last_stretch_only():
    monitor = Monitor(CsvLines(("eda_us",)), start_s=0.0)
    monitor.take(b"\n1\n2\n")
    monitor.report(1.0)
    monitor.take(b"3\n")
    assert monitor.report(3.0).rate_hz == {"eda_us": 0.5}
