/*
 * One board, driven by lines of text at times that the lines give: nothing here waits.
 *
 * It has the streams 0 `ppg` (i16, 100 Hz, room for 20 samples), 1 `skin_temp_c` (f32, 4 Hz) and
 * 2 `acc_g` (i32, three values, 50 Hz), both contacts, and 10 000 ticks per second.
 *
 *     start NOW COUNTER       push STREAM AT VALUE    missing STREAM AT     step NOW
 *     in NOW HEX              touch AT PART ON        room FRAMES (that still fit; -1: all)
 *     fault AT CODE STREAM ACTIVE
 *     keep 0|1 (of the device id)                     first CAPACITY RATE (of stream 0, at start)
 *
 * Each is answered by the frames that were sent, as hexadecimal, and then by one line: what the
 * call returned (0 sent, 1 bad value, 2 not written; 0 if it returns nothing).
 */
#include "../wellbeing_board.h"
#include "words.h"

#define STREAMS 3

static wbs_board board;
static wbs_board_stream streams[STREAMS];
static uint8_t rooms[STREAMS][WBS_MAX_RAW + 70]; /* more than is ever used */
static long room = -1;
static bool keeps = true;
static uint16_t first_capacity = 40;
static uint32_t first_rate_mhz = 100000;

static bool print_frame(void *context, const uint8_t *bytes, size_t size) {
    (void)context;
    if (room == 0) {
        return false;
    }
    room -= room > 0 && size > 1 ? 1 : 0;
    print_hex(bytes, size);
    return true;
}

static bool keep_device_id(void *context, const char *device_id) {
    (void)context;
    (void)device_id;
    return keeps;
}

/* 25, 50 or 100 Hz for the pulse; busy for the thermometer; fixed for the rest. */
static wbs_status set_rate(void *context, uint8_t stream, uint32_t *rate_mhz) {
    (void)context;
    if (stream != 0) {
        return stream == 1 ? WBS_BUSY : WBS_FIXED;
    }
    *rate_mhz = *rate_mhz < 37500 ? 25000 : *rate_mhz < 75000 ? 50000 : 100000;
    return WBS_KEPT;
}

/* Key 200 echoes the index that was asked for; there is no other. */
static wbs_status own(void *context, const wbs_request *request, uint8_t *value,
                      uint8_t *length) {
    (void)context;
    value[0] = request->index;
    *length = 1;
    return request->key == 200 ? WBS_KEPT : WBS_UNKNOWN_KEY;
}

static wbs_result start(uint32_t now, uint16_t counter) {
    static const wbs_stream are[STREAMS] = {
        {"ppg", "1", 0, 1, WBS_I16, 100000, 1.0f, 0.0f},
        {"skin_temp_c", "degC", 0, 1, WBS_F32, 4000, 1.0f, 0.0f},
        {"acc_g", "g", 0, 3, WBS_I32, 50000, 0.001f, 0.0f},
    };
    for (int i = 0; i < STREAMS; i++) {
        streams[i].is = are[i];
        streams[i].room = rooms[i];
        streams[i].capacity = i == 0 ? first_capacity : sizeof rooms[i];
    }
    streams[0].is.rate_mhz = first_rate_mhz;
    board.maker = "maker";
    board.model = "model";
    board.firmware = "1";
    board.boot = 5;
    board.tick_hz = 10000;
    board.streams = streams;
    board.stream_count = STREAMS;
    board.parts = 1u << WBS_PULSE | 1u << WBS_SKIN;
    board.hooks.write = print_frame;
    board.hooks.keep_device_id = keep_device_id;
    board.hooks.set_rate = set_rate;
    board.hooks.own = own;
    return wbs_board_start(&board, now, counter);
}

static wbs_result push(uint8_t stream, uint32_t at, long value) {
    const int16_t sample = (int16_t)value;
    const float warmth = (float)value;
    const int32_t axes[3] = {(int32_t)value, 0, -(int32_t)value};
    switch (stream) {
    case 1:
        return wbs_push_f32(&board, stream, at, &warmth);
    case 2:
        return wbs_push_i32(&board, stream, at, axes);
    default:
        return wbs_push_i16(&board, stream, at, &sample);
    }
}

static wbs_result receive(const line *l) {
    const size_t size = raw(l, 2);
    for (size_t i = 0; i < size; i++) {
        wbs_board_receive(&board, (uint8_t)l->word[2][i], number(l, 1));
    }
    return WBS_SENT;
}

static wbs_result obey(const line *l) {
    if (is(l, "start")) {
        return start(number(l, 1), (uint16_t)number(l, 2));
    }
    if (is(l, "push")) {
        return push(byte(l, 1), number(l, 2), strtol(l->word[3], NULL, 10));
    }
    if (is(l, "missing")) {
        return wbs_push_missing(&board, byte(l, 1), number(l, 2));
    }
    if (is(l, "step")) {
        wbs_board_step(&board, number(l, 1));
    } else if (is(l, "in")) {
        return receive(l);
    } else if (is(l, "touch")) {
        return wbs_board_contact(&board, number(l, 1), (wbs_part)number(l, 2), number(l, 3) != 0);
    } else if (is(l, "fault")) {
        const wbs_fault fault = {number(l, 1), (uint16_t)number(l, 2), byte(l, 3),
                                 number(l, 4) != 0, "loose"};
        return wbs_board_fault(&board, &fault);
    } else if (is(l, "room")) {
        room = strtol(l->word[1], NULL, 10);
    } else if (is(l, "keep")) {
        keeps = number(l, 1) != 0;
    } else if (is(l, "first")) {
        first_capacity = (uint16_t)number(l, 1);
        first_rate_mhz = number(l, 2);
    }
    return WBS_SENT;
}

int main(void) {
    line l;
    while (read_line(&l)) {
        (void)printf("%d\n", (int)obey(&l));
        (void)fflush(stdout);
    }
    return 0;
}
