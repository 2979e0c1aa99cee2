/*
 * A simulated headset for the host: pulse, skin conductance, skin temperature and acceleration,
 * on stdin and stdout or on a serial port. What it shows of wellbeing_board.h is what a real
 * board does; only `measure` and the clock are made up.
 *
 *     gcc -std=c99 -O2 -o example_board *.c -lm
 *     ./example_board --pty           says under which name it is plugged in
 */
#define _XOPEN_SOURCE 700

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "wellbeing_board.h"

#define TICK_HZ 1000000u
#define TWO_PI 6.283185307179586
#define FAST_STEP_S 0.01 /* of the made-up clock */
#define BATTERY_EVERY_S 60.0

enum { PPG, EDA, TEMPERATURE, ACCELERATION, STREAMS };

/* The sensors' own oscillators are a little off, as real ones are. */
static const double TOO_SLOW[STREAMS] = {1.002, 1.0, 1.0, 0.997};
static const uint32_t PPG_RATES_MHZ[] = {25000, 50000, 100000, 200000};

typedef struct {
    const char *port;
    const char *settings; /* file that survives "power-off" */
    double seconds;
    unsigned long frames;
    uint32_t boot;
    uint32_t ticks;
    uint16_t counter;
    bool fast;
    bool off; /* all sensors */
    bool pty;
} options;

typedef struct {
    wbs_board board;
    wbs_board_stream streams[STREAMS];
    double next_s[STREAMS];
    double next_battery_s;
    double beat; /* beats since the start, whole and begun */
    double beat_at_s;
    options given;
    unsigned long frames;
    int in;
    int out;
    size_t rest_size; /* of a frame that the port took only in part */
    uint8_t rest[WBS_MAX_WIRE];
} example;

/* ---- the port: whole frames or nothing ---- */

/* Return false while a part of the last frame is still to be written. */
static bool write_rest(example *e) {
    while (e->rest_size > 0) {
        struct pollfd out = {e->out, POLLOUT, 0};
        (void)poll(&out, 1, e->given.fast ? -1 : 0);
        const ssize_t size = write(e->out, e->rest, e->rest_size);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
            return false;
        }
        if (size < 0) {
            exit(errno == EPIPE || errno == EIO ? 0 : 1); /* nobody listens any more */
        }
        e->rest_size -= (size_t)size;
        memmove(e->rest, e->rest + size, e->rest_size);
    }
    return true;
}

static bool write_frame(void *context, const uint8_t *bytes, size_t size) {
    example *const e = context;
    if (!write_rest(e)) {
        return false;
    }
    memcpy(e->rest, bytes, size);
    e->rest_size = size;
    e->frames += size > 1 ? 1 : 0;
    while (!write_rest(e) && e->given.fast) {
    }
    return true;
}

/* Wait up to `wait_s` for requests; false once the other end is closed. */
static bool read_requests(example *e, double wait_s, uint32_t (*ticks)(const example *)) {
    struct pollfd in = {e->in, POLLIN, 0};
    if (poll(&in, e->in < 0 ? 0 : 1, (int)ceil(wait_s * 1000.0)) <= 0) {
        return true;
    }
    uint8_t bytes[64];
    const ssize_t size = read(e->in, bytes, sizeof bytes);
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) {
        return false;
    }
    for (ssize_t i = 0; i < size; i++) {
        wbs_board_receive(&e->board, bytes[i], ticks(e));
    }
    return true;
}

/* Return our end of a new pseudo-terminal; the other one stays open, so hosts may come and go. */
static int make_port(void) {
    const int end = posix_openpt(O_RDWR | O_NOCTTY);
    const bool made = end >= 0 && grantpt(end) == 0 && unlockpt(end) == 0;
    const char *const name = made ? ptsname(end) : NULL;
    if (name == NULL || open(name, O_RDWR | O_NOCTTY) < 0) {
        return -1;
    }
    (void)fprintf(stderr, "example_board: firmware-bridge monitor --port %s\n", name);
    return end;
}

static bool open_port(example *e) {
    e->in = STDIN_FILENO;
    e->out = STDOUT_FILENO;
    if (e->given.port != NULL) {
        e->in = e->out = open(e->given.port, O_RDWR | O_NOCTTY);
    } else if (e->given.pty) {
        e->in = e->out = make_port();
    }
    struct termios mode;
    if (e->out >= 0 && tcgetattr(e->out, &mode) == 0) { /* bytes, not lines */
        mode.c_iflag = 0;
        mode.c_oflag = 0;
        mode.c_lflag = 0;
        mode.c_cflag = CS8 | CREAD | CLOCAL;
        mode.c_cc[VMIN] = 1;
        mode.c_cc[VTIME] = 0;
        (void)cfsetispeed(&mode, B115200);
        (void)cfsetospeed(&mode, B115200);
        (void)tcsetattr(e->out, TCSANOW, &mode);
    }
    return e->out >= 0 && fcntl(e->out, F_SETFL, fcntl(e->out, F_GETFL) | O_NONBLOCK) == 0;
}

/* ---- settings ---- */

static bool keep_device_id(void *context, const char *device_id) {
    const example *const e = context;
    FILE *const file = e->given.settings == NULL ? NULL : fopen(e->given.settings, "w");
    if (file == NULL) {
        return false;
    }
    const bool written = fputs(device_id, file) >= 0;
    return fclose(file) == 0 && written;
}

static void load_device_id(example *e) {
    FILE *const file = e->given.settings == NULL ? NULL : fopen(e->given.settings, "r");
    if (file != NULL) {
        const size_t size = fread(e->board.device_id, 1, WBS_MAX_STR, file);
        e->board.device_id[size] = '\0';
        (void)fclose(file);
    }
}

/* Only the pulse sensor can be told its rate, and only some. */
static wbs_status set_rate(void *context, uint8_t stream, uint32_t *rate_mhz) {
    (void)context;
    if (stream != PPG) {
        return WBS_FIXED;
    }
    uint32_t nearest = PPG_RATES_MHZ[0];
    for (size_t i = 1; i < sizeof PPG_RATES_MHZ / sizeof *PPG_RATES_MHZ; i++) {
        const double here = fabs((double)PPG_RATES_MHZ[i] - (double)*rate_mhz);
        nearest = here < fabs((double)nearest - (double)*rate_mhz) ? PPG_RATES_MHZ[i] : nearest;
    }
    *rate_mhz = nearest;
    return WBS_UNTIL_POWER_OFF;
}

/* ---- what a real board measures ---- */

static double bump(double phase, double centre, double width) {
    const double x = (phase - centre) / width;
    return exp(-x * x);
}

/* A pulse of about 70 per minute that breathing makes faster and slower. */
static int32_t pulse(example *e, double s) {
    for (;;) {
        const double length_s = 0.85 + 0.04 * sin(TWO_PI * e->beat_at_s / 4.0);
        const double phase = (s - e->beat_at_s) / length_s;
        if (phase < 1.0) {
            const double wave = bump(phase, 0.25, 0.09) + 0.35 * bump(phase, 0.55, 0.12);
            return (int32_t)lround(90000.0 + 1500.0 * wave + 150.0 * sin(TWO_PI * s / 4.0));
        }
        e->beat_at_s += length_s;
        e->beat += 1.0;
    }
}

/* A level with a response every 20 s. */
static double conductance_us(double s) {
    const double since = fmod(s, 20.0);
    return 4.0 + 0.2 * sin(TWO_PI * s / 300.0) + 0.8 * (exp(-since / 4.0) - exp(-since / 0.7));
}

static void measure(example *e, uint8_t stream, double s) {
    const uint32_t at = e->given.ticks + (uint32_t)(uint64_t)(s * TICK_HZ);
    const int32_t wave = stream == PPG ? pulse(e, s) : 0;
    const int16_t conductance = (int16_t)lround(conductance_us(s) * 1000.0);
    const int16_t warmth = (int16_t)lround(100.0 * (33.2 + 0.3 * sin(TWO_PI * s / 600.0)));
    const int16_t acceleration[3] = {(int16_t)lround(20.0 * sin(TWO_PI * s / 1.3)), -130, 2040};
    switch (stream) {
    case PPG:
        (void)wbs_push_i32(&e->board, PPG, at, &wave);
        break;
    case ACCELERATION:
        (void)wbs_push_i16(&e->board, ACCELERATION, at, acceleration);
        break;
    default:
        (void)wbs_push_i16(&e->board, stream, at, stream == EDA ? &conductance : &warmth);
    }
}

/* ---- the loop ---- */

static double clock_s(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double started_s;
static double fast_s;

static double now_s(const example *e) {
    return e->given.fast ? fast_s : clock_s() - started_s;
}

static uint32_t ticks(const example *e) {
    return e->given.ticks + (uint32_t)(uint64_t)(now_s(e) * TICK_HZ);
}

static void measure_what_is_due(example *e) {
    if (e->given.off) {
        return;
    }
    for (uint8_t i = 0; i < STREAMS; i++) {
        while (e->next_s[i] <= now_s(e)) {
            measure(e, i, e->next_s[i]);
            e->next_s[i] += 1000.0 / e->streams[i].is.rate_mhz * TOO_SLOW[i];
        }
    }
    if (e->next_battery_s <= now_s(e)) {
        e->next_battery_s += BATTERY_EVERY_S;
        (void)wbs_send_battery(&e->board.sender, 87, 0, 3980);
    }
}

static bool is_done(const example *e) {
    return (e->given.frames > 0 && e->frames >= e->given.frames) ||
           (e->given.seconds > 0.0 && now_s(e) >= e->given.seconds);
}

static void run(example *e) {
    started_s = clock_s();
    (void)wbs_board_start(&e->board, ticks(e), e->given.counter);
    (void)wbs_board_contact(&e->board, ticks(e), WBS_PULSE, true);
    (void)wbs_board_contact(&e->board, ticks(e), WBS_SKIN, true);
    while (!is_done(e)) {
        if (!read_requests(e, e->given.fast ? 0.0 : FAST_STEP_S / 2.0, ticks)) {
            e->in = -1; /* whoever asked is gone; others may listen */
        }
        fast_s += FAST_STEP_S;
        (void)write_rest(e);
        measure_what_is_due(e);
        wbs_board_step(&e->board, ticks(e));
    }
}

static void describe(example *e) {
    static uint8_t room[STREAMS][WBS_MAX_RAW];
    static const wbs_stream streams[STREAMS] = {
        {"ppg", "1", PPG, 1, WBS_I32, 100000, 1.0f, 0.0f},
        {"eda_us", "uS", EDA, 1, WBS_I16, 4000, 0.001f, 0.0f},
        {"skin_temp_c", "degC", TEMPERATURE, 1, WBS_I16, 1000, 0.01f, 0.0f},
        {"acc_g", "g", ACCELERATION, 3, WBS_I16, 50000, 1.0f / 2048.0f, 0.0f},
    };
    for (uint8_t i = 0; i < STREAMS; i++) {
        e->streams[i].is = streams[i];
        e->streams[i].room = room[i];
        e->streams[i].capacity = WBS_MAX_RAW;
    }
    e->board.maker = "Agent Wellbeing";
    e->board.model = "Example board";
    e->board.firmware = "1.0.0";
    e->board.boot = e->given.boot;
    e->board.tick_hz = TICK_HZ;
    e->board.streams = e->streams;
    e->board.stream_count = STREAMS;
    e->board.parts = 1u << WBS_PULSE | 1u << WBS_SKIN;
    e->board.hooks.write = write_frame;
    e->board.hooks.context = e;
    e->board.hooks.keep_device_id = keep_device_id;
    e->board.hooks.set_rate = set_rate;
}

static const char USAGE[] =
    "example_board: a simulated headset that speaks the serial protocol\n"
    "  --port PATH      serial port (otherwise stdin and stdout)\n"
    "  --pty            make a serial port, and say how it is called\n"
    "  --seconds S      stop after so long\n"
    "  --frames N       stop after so many frames\n"
    "  --fast           do not wait: a made-up clock\n"
    "  --off            all sensors off: only what keeps the line alive\n"
    "  --settings FILE  keep the device id there\n"
    "  --boot N --ticks N --counter N   where they begin (default: the time, 0, 0)\n";

static bool parse(options *given, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *const name = argv[i];
        if (strcmp(name, "--fast") == 0) {
            given->fast = true;
            continue;
        }
        if (strcmp(name, "--off") == 0) {
            given->off = true;
            continue;
        }
        if (strcmp(name, "--pty") == 0) {
            given->pty = true;
            continue;
        }
        const char *const value = i + 1 < argc ? argv[++i] : NULL;
        char *end = NULL;
        const double number = value == NULL ? 0.0 : strtod(value, &end);
        const bool is_number = value != NULL && end != value && *end == '\0' && number >= 0.0;
        if (value != NULL && strcmp(name, "--port") == 0) {
            given->port = value;
        } else if (value != NULL && strcmp(name, "--settings") == 0) {
            given->settings = value;
        } else if (is_number && strcmp(name, "--seconds") == 0) {
            given->seconds = number;
        } else if (is_number && strcmp(name, "--frames") == 0) {
            given->frames = (unsigned long)number;
        } else if (is_number && number <= UINT32_MAX && strcmp(name, "--boot") == 0) {
            given->boot = (uint32_t)number;
        } else if (is_number && number <= UINT32_MAX && strcmp(name, "--ticks") == 0) {
            given->ticks = (uint32_t)number;
        } else if (is_number && number <= UINT16_MAX && strcmp(name, "--counter") == 0) {
            given->counter = (uint16_t)number;
        } else {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv) {
    static example e;
    e.given.boot = (uint32_t)time(NULL);
    if (!parse(&e.given, argc, argv)) {
        (void)fputs(USAGE, stderr);
        return 2;
    }
    describe(&e);
    load_device_id(&e);
    if (!open_port(&e)) {
        (void)fprintf(stderr, "example_board: %s: %s\n",
                      e.given.port == NULL ? "stdout" : e.given.port, strerror(errno));
        return 1;
    }
    run(&e);
    return 0;
}
