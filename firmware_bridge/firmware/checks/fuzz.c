/*
 * Mutated requests, random bytes and random times into a whole board; for the sanitizers.
 *
 *     gcc -std=c99 -O1 -g -fsanitize=address,undefined -o fuzz checks/fuzz.c *.c   (no example)
 *     ./fuzz 1000000 1            inputs, seed; prints what it did, aborts at what must not be
 *
 * With clang: -DFUZZ_BY_LIBFUZZER -fsanitize=fuzzer,address,undefined.
 *
 * Checked besides: whatever the board sends is a whole frame (no zero inside, one behind, its
 * length and distances right); every stretch between zero bytes is a request or counted by reason.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../wellbeing_board.h"

#define MOST_INPUT 2048u
#define STREAMS 3u

static wbs_board board;
static wbs_board_stream streams[STREAMS];
static uint8_t rooms[STREAMS][64];
static unsigned long frames_out;
static unsigned long requests_in;
static unsigned long stretches_in;
static uint32_t seed = 1;
static bool there_is_room = true;

#define MUST(condition) \
    do { \
        if (!(condition)) { \
            (void)fprintf(stderr, "not so, in line %d: %s\n", __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

/* Marsaglia's xorshift: the same inputs everywhere. */
static uint32_t chance(uint32_t below) {
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % below;
}

static bool check_frame(void *context, const uint8_t *bytes, size_t size) {
    (void)context;
    MUST(size <= WBS_MAX_WIRE && bytes[size - 1] == 0);
    if (size == 1) {
        return true; /* the zero byte of the start */
    }
    MUST(memchr(bytes, 0, size - 1) == NULL);
    size_t at = 0;
    while (at < size - 1) {
        at += bytes[at];
    }
    MUST(at == size - 1);
    frames_out += there_is_room ? 1u : 0u;
    return there_is_room;
}

static wbs_status set_rate(void *context, uint8_t stream, uint32_t *rate_mhz) {
    (void)context;
    MUST(stream < STREAMS && *rate_mhz >= 1 && *rate_mhz <= 200000);
    *rate_mhz = *rate_mhz / 1000u * 1000u; /* may be 0, which the board has to stand */
    return stream == 2 ? WBS_BUSY : WBS_UNTIL_POWER_OFF;
}

static wbs_status own(void *context, const wbs_request *request, uint8_t *value,
                      uint8_t *length) {
    static uint8_t kept[WBS_MAX_VALUE];
    static uint8_t kept_length;
    (void)context;
    if (request->type == WBS_SET && request->length <= sizeof kept) {
        memcpy(kept, request->value, request->length);
        kept_length = request->length;
    }
    memcpy(value, kept, kept_length);
    *length = kept_length;
    return request->key == 255 ? WBS_UNKNOWN_KEY : WBS_KEPT;
}

static void start(void) {
    static const wbs_stream is[STREAMS] = {{"ppg", "1", 0, 1, WBS_I32, 100000, 1.0f, 0.0f},
                                           {"acc_g", "g", 0, 3, WBS_I16, 50000, 0.001f, 0.0f},
                                           {"eda_us", "uS", 0, 1, WBS_F32, 4000, 1.0f, 0.0f}};
    memset(&board, 0, sizeof board);
    for (unsigned i = 0; i < STREAMS; i++) {
        streams[i].is = is[i];
        streams[i].room = rooms[i];
        streams[i].capacity = sizeof rooms[i];
    }
    board.maker = "m";
    board.model = "m";
    board.firmware = "1";
    board.tick_hz = 10000;
    board.streams = streams;
    board.stream_count = STREAMS;
    board.parts = 3;
    board.hooks.write = check_frame;
    board.hooks.set_rate = set_rate;
    board.hooks.own = own;
    there_is_room = true;
    const uint32_t now = chance(UINT32_MAX);
    const uint16_t counter = (uint16_t)chance(65536);
    MUST(wbs_board_start(&board, now, counter) == WBS_SENT);
    wbs_board_receive(&board, 0, now); /* from here on every stretch counts */
}

static unsigned long refused(const wbs_refused *r) {
    return (unsigned long)r->too_long + r->stuffing + r->crc + r->version + r->type + r->content;
}

static void push(uint32_t at) {
    static const int32_t wave = -70000;
    static const int16_t acceleration[3] = {-32768, 0, 32767};
    static const float conductance = 4.25f;
    (void)wbs_push_i32(&board, 0, at, &wave);
    (void)wbs_push_i16(&board, 1, at, acceleration);
    (void)wbs_push_f32(&board, 2, at, &conductance);
    (void)wbs_push_missing(&board, (uint8_t)chance(4), at);
    const wbs_part part = (wbs_part)chance(3);
    (void)wbs_board_contact(&board, at, part, chance(2) == 0);
    wbs_fault fault = {at, 3, 0, false, "loose"};
    fault.code = (uint16_t)chance(4);
    fault.stream = (uint8_t)chance(18);
    fault.active = chance(2) == 0;
    (void)wbs_board_fault(&board, &fault);
}

/* Feed `size` bytes, at times that now and then jump. */
static void feed(const uint8_t *bytes, size_t size) {
    static uint32_t now;
    static size_t stretch;
    for (size_t i = 0; i < size; i++) {
        const unsigned long before = refused(&board.receiver.refused);
        const bool joined = board.receiver.joined;
        const uint8_t type = bytes[i];
        wbs_request request;
        wbs_receiver copy;
        bool whole = false;
        if (type == 0) { /* the same byte into a copy: what would be said of it? */
            copy = board.receiver;
            whole = wbs_receive(&copy, 0, &request);
        }
        wbs_board_receive(&board, bytes[i], now);
        const unsigned long after = refused(&board.receiver.refused);
        if (type != 0) {
            stretch++;
            MUST(after == before);
            continue;
        }
        MUST(after - before == (stretch > 0 && joined && !whole ? 1u : 0u));
        stretches_in += stretch > 0 ? 1u : 0u;
        requests_in += whole ? 1u : 0u;
        stretch = 0;
    }
    now += chance(8) == 0 ? chance(UINT32_MAX) : chance(2000);
    there_is_room = chance(5) != 0;
    push(now);
    wbs_board_step(&board, now);
}

#ifdef FUZZ_BY_LIBFUZZER
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (board.tick_hz == 0) {
        start();
    }
    feed(data, size);
    return 0;
}
#else

/* ---- inputs: sound requests, then spoilt ---- */

static uint8_t input[MOST_INPUT];
static size_t input_size;

static bool append(void *context, const uint8_t *bytes, size_t size) {
    (void)context;
    if (size > 1 && input_size + size <= MOST_INPUT / 2u) {
        memcpy(input + input_size, bytes, size);
        input_size += size;
    }
    return true;
}

static void add_request(wbs_sender *host) {
    static const uint8_t types[] = {WBS_HELLO_REQUEST, WBS_TIME_REQUEST, WBS_SET, WBS_GET,
                                    WBS_HELLO, 0x50};
    static const uint8_t keys[] = {WBS_DEVICE_ID, WBS_RATE, WBS_OWN_KEYS, 255, 3};
    uint8_t payload[WBS_MAX_PAYLOAD];
    const uint8_t type = types[chance(sizeof types)];
    size_t size = type == WBS_SET ? 3u + chance(40) : chance(6);
    size = chance(16) == 0 ? chance(WBS_MAX_PAYLOAD + 1u) : size;
    for (size_t i = 0; i < size; i++) {
        payload[i] = (uint8_t)(chance(3) == 0 ? 0 : type == WBS_SET ? 'a' + chance(26) : chance(256));
    }
    payload[0] = keys[chance(sizeof keys)];
    payload[1] = (uint8_t)chance(4);
    payload[2] = (uint8_t)(chance(8) == 0 || size < 3 ? chance(256) : size - 3u);
    if (type == WBS_SET && payload[0] == WBS_RATE && chance(2) == 0) {
        payload[2] = 4;
        wbs_put_u32(payload + 3, chance(250000));
        size = 7;
    }
    (void)wbs_send(host, type, payload, size);
}

static void spoil(void) {
    const size_t at = input_size > 0 ? chance((uint32_t)input_size) : 0u;
    const size_t rest = input_size - at;
    const size_t piece = rest > 0 ? 1u + chance((uint32_t)(rest < 80 ? rest : 80)) : 0u;
    switch (chance(7)) {
    case 0: /* a bit */
        input[at] = (uint8_t)(input[at] ^ 1u << chance(8));
        break;
    case 1: /* a byte */
        input[at] = (uint8_t)chance(256);
        break;
    case 2: /* a zero too many */
        input[at] = 0;
        break;
    case 3: /* a piece lost */
        memmove(input + at, input + at + piece, rest - piece);
        input_size -= piece;
        break;
    case 4: /* a piece twice */
        if (input_size + piece <= MOST_INPUT) {
            memmove(input + at + piece, input + at, rest);
            input_size += piece;
        }
        break;
    case 5: /* cut off */
        input_size = at;
        break;
    default: /* noise */
        for (size_t i = 0; i < piece; i++) {
            input[at + i] = (uint8_t)chance(256);
        }
    }
}

static void make_input(wbs_sender *host) {
    input_size = 0;
    for (uint32_t n = 1u + chance(3); n > 0; n--) {
        add_request(host);
    }
    for (uint32_t n = chance(4); n > 0; n--) {
        spoil();
    }
}

int main(int argc, char **argv) {
    const unsigned long inputs = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000ul;
    wbs_sender host;
    seed = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) | 1u : 1u;
    wbs_start(&host, append, NULL, 0);
    start();
    for (unsigned long i = 0; i < inputs; i++) {
        make_input(&host);
        feed(input, input_size);
    }
    (void)printf("inputs %lu stretches %lu requests %lu refused %lu frames_out %lu\n", inputs,
                 stretches_in, requests_in, refused(&board.receiver.refused), frames_out);
    return 0;
}
#endif
