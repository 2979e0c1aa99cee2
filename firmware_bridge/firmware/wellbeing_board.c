/* A whole board; see wellbeing_board.h. */
#include "wellbeing_board.h"

#include <string.h>

#define ALL_PARTS 2u
#define MISSING_I16 0x8000u
#define MISSING_I32 0x80000000u
#define MISSING_F32 0x7FC00000u /* a quiet NaN */
#define MOST_RATE_MHZ 200000u
#define MOST_WHOLE (UINT32_MAX / 1000u - 1u)

/*
 * A quarter of a second below what the protocol wants, for wbs_board_step is called so often:
 * description every 10 s, something every 2 s, samples within 1 s.
 */
static uint32_t describe_every(const wbs_board *board) {
    return 9u * board->tick_hz;
}

static uint32_t speak_every(const wbs_board *board) {
    return board->tick_hz + board->tick_hz / 2u;
}

static uint32_t hold_for(const wbs_board *board) {
    return board->tick_hz / 10u * 7u;
}

/* Unsigned, so that a wrap in between does not matter. */
static uint32_t since(uint32_t then, uint32_t now) {
    return now - then;
}

/*
 * Whether `ticks` have passed since `then`. None have if `then` is up to a second ahead: an
 * interrupt came after the caller had looked at the clock.
 */
static bool is_over(const wbs_board *board, uint32_t then, uint32_t now, uint32_t ticks) {
    return since(then, now) >= ticks && since(now, then) > board->tick_hz;
}

/* ---- describing: HELLO, each STREAM, CONTACT of each part, each FAULT that lasts ---- */

static wbs_result send_hello(wbs_board *board, uint32_t now) {
    const wbs_hello hello = {board->boot,  board->tick_hz, now,
                             board->stream_count, board->maker,   board->model,
                             board->firmware,     board->device_id};
    return wbs_send_hello(&board->sender, &hello);
}

static bool is_in(uint8_t parts, unsigned part) {
    return ((unsigned)parts >> part & 1u) != 0;
}

static wbs_result repeat_fault(wbs_board *board, unsigned slot, uint32_t now) {
    wbs_fault *const fault = board->faults + slot;
    if (!fault->active) {
        return WBS_SENT;
    }
    fault->at = now;
    return wbs_send_fault(&board->sender, fault);
}

static wbs_result describe_piece(wbs_board *board, unsigned piece, uint32_t now) {
    if (piece == 0) {
        return send_hello(board, now);
    }
    if (piece <= board->stream_count) {
        return wbs_send_stream(&board->sender, &board->streams[piece - 1].is);
    }
    const unsigned part = piece - board->stream_count - 1u;
    if (part >= ALL_PARTS) {
        return repeat_fault(board, part - ALL_PARTS, now);
    }
    if (!is_in(board->parts, part)) {
        return WBS_SENT;
    }
    return wbs_send_contact(&board->sender, now, (wbs_part)part, is_in(board->touching, part));
}

static unsigned pieces(const wbs_board *board) {
    return 1u + board->stream_count + ALL_PARTS + WBS_BOARD_FAULTS;
}

/* Go on describing for as long as there is room; the rest follows at the next step. */
static wbs_result go_on_describing(wbs_board *board, uint32_t now) {
    while (board->to_describe > 0) {
        const wbs_result result = describe_piece(board, pieces(board) - board->to_describe, now);
        if (result == WBS_NOT_WRITTEN) {
            wbs_take_back(&board->sender);
        }
        if (result != WBS_SENT) {
            return result;
        }
        board->to_describe--;
    }
    return WBS_SENT;
}

static wbs_result describe(wbs_board *board, uint32_t now) {
    board->to_describe = (uint8_t)pieces(board);
    board->described_at = now;
    return go_on_describing(board, now);
}

/* ---- samples ---- */

static uint16_t sample_size(const wbs_board_stream *stream) {
    return (uint16_t)(stream->is.width * (stream->is.encoding == WBS_I16 ? 2u : 4u));
}

static uint16_t capacity(const wbs_board_stream *stream) {
    return stream->capacity < WBS_MAX_RAW ? stream->capacity : WBS_MAX_RAW;
}

/* Return ticks per sample at the nominal rate; in 32 bits, for 64 bring 700 bytes of division. */
static uint32_t nominal_step(const wbs_board *board, const wbs_board_stream *stream) {
    const uint32_t rate_mhz = stream->is.rate_mhz;
    const uint32_t whole = board->tick_hz / rate_mhz;
    const uint32_t rest = board->tick_hz - whole * rate_mhz;
    if (whole > MOST_WHOLE) {
        return UINT32_MAX;
    }
    const uint32_t step = whole * 1000u + rest * 1000u / rate_mhz;
    return step > 0 ? step : 1u;
}

static wbs_result flush(wbs_board *board, wbs_board_stream *stream) {
    if (stream->count == 0) {
        return WBS_SENT;
    }
    const uint32_t gaps = stream->count - 1u;
    uint32_t step = nominal_step(board, stream);
    if (gaps > 0) {
        step = (since(stream->first, stream->last) + gaps / 2u) / gaps;
    }
    const wbs_samples samples = {stream->is.stream, stream->count, stream->first, step};
    const uint16_t used = stream->used;
    stream->used = 0;
    stream->count = 0;
    return wbs_send_samples(&board->sender, &samples, stream->room, used);
}

static bool follows(const wbs_board *board, const wbs_board_stream *stream, uint32_t at) {
    const uint32_t step = nominal_step(board, stream);
    const uint32_t gap = since(stream->last, at);
    return gap > 0 && gap >= step - step / 2u && gap - step / 2u <= step;
}

/* Where raw values come from: a pointer to them in their own type, or NULL: not measured. */
static void put_values(uint8_t *place, const wbs_stream *is, const void *values) {
    for (unsigned i = 0; i < is->width; i++) {
        if (is->encoding == WBS_I16) {
            const int16_t *const v = values;
            wbs_put_u16(place + 2u * i, v != NULL ? (uint16_t)v[i] : MISSING_I16);
        } else if (is->encoding == WBS_I32) {
            const int32_t *const v = values;
            wbs_put_u32(place + 4u * i, v != NULL ? (uint32_t)v[i] : MISSING_I32);
        } else if (values != NULL) {
            wbs_put_f32(place + 4u * i, ((const float *)values)[i]);
        } else {
            wbs_put_u32(place + 4u * i, MISSING_F32);
        }
    }
}

static wbs_result push(wbs_board *board, uint8_t number, uint32_t at, const void *values) {
    wbs_board_stream *const stream = board->streams + number;
    wbs_result result = WBS_SENT;
    if (stream->count > 0 && !follows(board, stream, at)) {
        result = flush(board, stream);
    }
    if (stream->count == 0) {
        stream->first = at;
    }
    stream->last = at;
    put_values(stream->room + stream->used, &stream->is, values);
    stream->used = (uint16_t)(stream->used + sample_size(stream));
    stream->count++;
    if (stream->used + sample_size(stream) > capacity(stream)) {
        const wbs_result full = flush(board, stream);
        result = result == WBS_SENT ? full : result;
    }
    return result;
}

static bool has(const wbs_board *board, uint8_t stream, wbs_encoding encoding) {
    return stream < board->stream_count && board->streams[stream].is.encoding == encoding;
}

wbs_result wbs_push_i16(wbs_board *board, uint8_t stream, uint32_t at, const int16_t *values) {
    return has(board, stream, WBS_I16) ? push(board, stream, at, values) : WBS_BAD_VALUE;
}

wbs_result wbs_push_i32(wbs_board *board, uint8_t stream, uint32_t at, const int32_t *values) {
    return has(board, stream, WBS_I32) ? push(board, stream, at, values) : WBS_BAD_VALUE;
}

wbs_result wbs_push_f32(wbs_board *board, uint8_t stream, uint32_t at, const float *values) {
    return has(board, stream, WBS_F32) ? push(board, stream, at, values) : WBS_BAD_VALUE;
}

wbs_result wbs_push_missing(wbs_board *board, uint8_t stream, uint32_t at) {
    return stream < board->stream_count ? push(board, stream, at, NULL) : WBS_BAD_VALUE;
}

/* ---- answering ---- */

static wbs_status set_device_id(wbs_board *board, const wbs_request *request) {
    if (request->length > 0 && !wbs_is_device_id(request->value, request->length)) {
        return WBS_REFUSED;
    }
    memcpy(board->device_id, request->value, request->length);
    board->device_id[request->length] = '\0';
    const wbs_hooks *const hooks = &board->hooks;
    const bool kept = hooks->keep_device_id != NULL &&
                      hooks->keep_device_id(hooks->context, board->device_id);
    return kept ? WBS_KEPT : WBS_UNTIL_POWER_OFF;
}

static uint32_t clamped(uint32_t rate_mhz) {
    return rate_mhz < 1u ? 1u : rate_mhz > MOST_RATE_MHZ ? MOST_RATE_MHZ : rate_mhz;
}

static wbs_status set_rate(wbs_board *board, const wbs_request *request) {
    if (board->hooks.set_rate == NULL) {
        return WBS_FIXED;
    }
    if (request->length != 4) {
        return WBS_REFUSED;
    }
    uint32_t rate_mhz = wbs_get_u32(request->value);
    if (rate_mhz != clamped(rate_mhz)) {
        return WBS_REFUSED;
    }
    wbs_board_stream *const stream = board->streams + request->index;
    const wbs_status status =
        board->hooks.set_rate(board->hooks.context, request->index, &rate_mhz);
    if (status == WBS_KEPT || status == WBS_UNTIL_POWER_OFF) {
        (void)flush(board, stream); /* what waits was measured at the old rate */
        stream->is.rate_mhz = clamped(rate_mhz);
    }
    return status;
}

/* Carry out a SET, or look at what a GET asks for: its status, and what is now in force. */
static wbs_status carry_out(wbs_board *board, const wbs_request *request, uint8_t *value,
                            uint8_t *length) {
    const bool is_set = request->type == WBS_SET;
    wbs_status status = WBS_KEPT;
    if (request->key == WBS_DEVICE_ID && request->index == 0) {
        status = is_set ? set_device_id(board, request) : WBS_KEPT;
        *length = (uint8_t)strlen(board->device_id);
        memcpy(value, board->device_id, *length);
    } else if (request->key == WBS_RATE && request->index < board->stream_count) {
        status = is_set ? set_rate(board, request) : WBS_KEPT;
        *length = 4;
        wbs_put_u32(value, board->streams[request->index].is.rate_mhz);
    } else if (request->key >= WBS_OWN_KEYS && board->hooks.own != NULL) {
        status = board->hooks.own(board->hooks.context, request, value, length);
    } else {
        status = WBS_UNKNOWN_KEY;
    }
    if (status == WBS_UNKNOWN_KEY) {
        *length = 0;
    }
    return status;
}

static void answer_setting(wbs_board *board, const wbs_request *request) {
    uint8_t value[WBS_MAX_VALUE];
    uint8_t length = 0;
    const wbs_status status = carry_out(board, request, value, &length);
    const wbs_setting setting = {request->counter, request->key, request->index,
                                 (uint8_t)status,  length,       value};
    (void)wbs_send_setting(&board->sender, &setting);
    if (request->type == WBS_SET && request->key == WBS_RATE && status <= WBS_UNTIL_POWER_OFF) {
        (void)wbs_send_stream(&board->sender, &board->streams[request->index].is);
    }
}

static void answer(wbs_board *board, const wbs_request *request, uint32_t now) {
    switch (request->type) {
    case WBS_HELLO_REQUEST:
        (void)describe(board, now);
        break;
    case WBS_TIME_REQUEST:
        (void)wbs_send_time(&board->sender, request->token, now, now);
        break;
    default:
        answer_setting(board, request);
    }
}

/* ---- what the caller calls ---- */

static bool is_usable(const wbs_board_stream *stream) {
    return stream->room != NULL && stream->is.rate_mhz > 0 &&
           capacity(stream) >= sample_size(stream);
}

static wbs_result prepare(wbs_board *board) {
    if (board->stream_count > WBS_MAX_STREAMS) {
        return WBS_BAD_VALUE;
    }
    for (unsigned i = 0; i < board->stream_count; i++) {
        wbs_board_stream *const stream = board->streams + i;
        stream->is.stream = (uint8_t)i;
        stream->used = 0;
        stream->count = 0;
        if (!is_usable(stream)) {
            return WBS_BAD_VALUE;
        }
    }
    return WBS_SENT;
}

wbs_result wbs_board_start(wbs_board *board, uint32_t now, uint16_t counter) {
    wbs_result result = prepare(board);
    wbs_start_receiver(&board->receiver);
    wbs_start(&board->sender, board->hooks.write, board->hooks.context, counter);
    board->spoke_at = now;
    board->spoke = counter;
    if (result == WBS_SENT) {
        result = describe(board, now);
    }
    if (result == WBS_BAD_VALUE) {
        board->stream_count = 0;
        board->to_describe = 0;
    }
    return result == WBS_BAD_VALUE ? WBS_BAD_VALUE : WBS_SENT;
}

void wbs_board_receive(wbs_board *board, uint8_t byte, uint32_t now) {
    wbs_request request;
    if (wbs_receive(&board->receiver, byte, &request)) {
        answer(board, &request, now);
    }
}

void wbs_board_step(wbs_board *board, uint32_t now) {
    for (unsigned i = 0; i < board->stream_count; i++) {
        wbs_board_stream *const stream = board->streams + i;
        if (stream->count > 0 && is_over(board, stream->first, now, hold_for(board))) {
            (void)flush(board, stream);
        }
    }
    if (is_over(board, board->described_at, now, describe_every(board))) {
        (void)describe(board, now);
    } else {
        (void)go_on_describing(board, now);
    }
    if (board->spoke != board->sender.counter) { /* the caller may have spoken, too */
        board->spoke = board->sender.counter;
        board->spoke_at = now;
    } else if (is_over(board, board->spoke_at, now, speak_every(board))) {
        (void)send_hello(board, now);
    }
}

wbs_result wbs_board_contact(wbs_board *board, uint32_t at, wbs_part part, bool on) {
    if ((unsigned)part >= ALL_PARTS || !is_in(board->parts, (unsigned)part)) {
        return WBS_BAD_VALUE;
    }
    if (is_in(board->touching, (unsigned)part) == on) {
        return WBS_SENT;
    }
    board->touching = (uint8_t)(board->touching ^ 1u << (unsigned)part);
    return wbs_send_contact(&board->sender, at, part, on);
}

wbs_result wbs_board_fault(wbs_board *board, const wbs_fault *fault) {
    const wbs_result result = wbs_send_fault(&board->sender, fault);
    wbs_fault *slot = NULL;
    for (unsigned i = WBS_BOARD_FAULTS; i-- > 0;) {
        wbs_fault *const here = board->faults + i;
        if (here->active && here->code == fault->code && here->stream == fault->stream) {
            slot = here;
            break;
        }
        if (!here->active) {
            slot = here;
        }
    }
    if (slot != NULL && result != WBS_BAD_VALUE) {
        *slot = *fault;
    }
    return result;
}

uint32_t wbs_extend(wbs_extender *extender, uint32_t raw, unsigned bits) {
    const uint32_t mask = bits >= 32 ? UINT32_MAX : ((uint32_t)1u << bits) - 1u;
    extender->ticks += (raw - extender->raw) & mask;
    extender->raw = raw;
    return extender->ticks;
}
