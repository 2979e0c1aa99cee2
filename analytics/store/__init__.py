"""Where what was measured, scored and decided is kept: InfluxDB or an embedded file."""
