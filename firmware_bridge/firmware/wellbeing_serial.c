/* Frames and messages of the serial protocol; see wellbeing_serial.h. */
#include "wellbeing_serial.h"

#include <float.h>
#include <string.h>

#if FLT_RADIX != 2 || FLT_MANT_DIG != 24 || FLT_MAX_EXP != 128
#error "float is not an IEEE 754 single: fill STREAM's scale and offset by other means"
#endif
typedef char wbs_float_has_four_bytes[sizeof(float) == 4 ? 1 : -1];

#define FRONT 1u /* the byte that the stuffing puts in front */
#define HEAD 4u  /* version, type, counter */
#define LEAST_TICK_HZ 1000u
#define MOST_TICK_HZ 10000000u
#define MOST_RATE_MHZ 200000u

/* Four bits at a time: 64 bytes of table instead of 1 KiB, twice as fast as bit by bit. */
uint32_t wbs_crc32(const uint8_t *bytes, size_t size) {
    static const uint32_t table[16] = {
        0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u,
        0x4DB26158u, 0x5005713Cu, 0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu,
        0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu};
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ table[crc & 15u];
        crc = (crc >> 4) ^ table[crc & 15u];
    }
    return crc ^ 0xFFFFFFFFu;
}

void wbs_put_u16(uint8_t *to, uint16_t value) {
    to[0] = (uint8_t)(value & 0xFFu);
    to[1] = (uint8_t)(value >> 8);
}

void wbs_put_u32(uint8_t *to, uint32_t value) {
    wbs_put_u16(to, (uint16_t)(value & 0xFFFFu));
    wbs_put_u16(to + 2, (uint16_t)(value >> 16));
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

void wbs_put_f32(uint8_t *to, float value) {
    wbs_put_u32(to, bits_of(value));
}

uint16_t wbs_get_u16(const uint8_t *from) {
    return (uint16_t)(from[0] | (from[1] << 8));
}

uint32_t wbs_get_u32(const uint8_t *from) {
    return wbs_get_u16(from) | ((uint32_t)wbs_get_u16(from + 2) << 16);
}

/* By its bits: a target without floating point need not link a comparison of floats. */
static bool is_finite(float value) {
    return (bits_of(value) & 0x7F800000u) != 0x7F800000u;
}

static bool is_zero(float value) {
    return (bits_of(value) & 0x7FFFFFFFu) == 0;
}

bool wbs_is_device_id(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        const uint8_t c = bytes[i];
        const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!plain && (i == 0 || (c != '_' && c != '-'))) {
            return false;
        }
    }
    return size >= 1 && size <= WBS_MAX_STR;
}

/* ---- frames out: a frame is built, checked and stuffed in one place ---- */

static void begin(wbs_sender *s, wbs_type type) {
    uint8_t *head = s->frame + FRONT;
    head[0] = WBS_VERSION;
    head[1] = (uint8_t)type;
    wbs_put_u16(head + 2, s->counter);
    s->size = FRONT + HEAD;
}

/* Every message checks its lengths first, so there is always room for a field. */
static void u8(wbs_sender *s, uint8_t value) {
    s->frame[s->size++] = value;
}

static void u16(wbs_sender *s, uint16_t value) {
    wbs_put_u16(s->frame + s->size, value);
    s->size = (uint16_t)(s->size + 2u);
}

static void u32(wbs_sender *s, uint32_t value) {
    wbs_put_u32(s->frame + s->size, value);
    s->size = (uint16_t)(s->size + 4u);
}

static void raw(wbs_sender *s, const uint8_t *bytes, size_t size) {
    if (size > 0) {
        memcpy(s->frame + s->size, bytes, size);
        s->size = (uint16_t)(s->size + size);
    }
}

static void str(wbs_sender *s, const char *text) {
    const size_t size = strlen(text);
    u8(s, (uint8_t)size);
    raw(s, (const uint8_t *)text, size);
}

/* Replace the byte in front, and each zero, by the distance to the next one, or to the end. */
static void stuff(uint8_t *frame, size_t size) {
    size_t zero = 0;
    for (size_t i = 1; i < size; i++) {
        if (frame[i] == 0) {
            frame[zero] = (uint8_t)(i - zero);
            zero = i;
        }
    }
    frame[zero] = (uint8_t)(size - zero);
}

static wbs_result finish(wbs_sender *s) {
    u32(s, wbs_crc32(s->frame + FRONT, s->size - FRONT));
    stuff(s->frame, s->size);
    u8(s, 0);
    s->counter++; /* also when it is lost: that is how the host learns of it */
    if (s->write(s->context, s->frame, s->size)) {
        return WBS_SENT;
    }
    s->lost++;
    return WBS_NOT_WRITTEN;
}

void wbs_start(wbs_sender *sender, wbs_write write, void *context, uint16_t counter) {
    static const uint8_t zero = 0;
    sender->lost = 0;
    sender->write = write;
    sender->context = context;
    sender->counter = counter;
    (void)write(context, &zero, 1); /* no room means bytes lie there already: nothing to end */
}

void wbs_take_back(wbs_sender *sender) {
    sender->counter--;
    sender->lost--;
}

wbs_result wbs_send(wbs_sender *sender, uint8_t type, const uint8_t *payload, size_t size) {
    if (size > WBS_MAX_PAYLOAD) {
        return WBS_BAD_VALUE;
    }
    begin(sender, (wbs_type)type);
    raw(sender, payload, size);
    return finish(sender);
}

/* ---- messages ---- */

static bool fits(const char *text, size_t least, size_t most) {
    const size_t size = strlen(text);
    return size >= least && size <= most;
}

wbs_result wbs_send_hello(wbs_sender *sender, const wbs_hello *hello) {
    const size_t id = strlen(hello->device_id);
    if (hello->tick_hz < LEAST_TICK_HZ || hello->tick_hz > MOST_TICK_HZ ||
        hello->streams > WBS_MAX_STREAMS || !fits(hello->maker, 1, WBS_MAX_STR) ||
        !fits(hello->model, 1, WBS_MAX_STR) || !fits(hello->firmware, 1, WBS_MAX_STR) ||
        (id > 0 && !wbs_is_device_id((const uint8_t *)hello->device_id, id))) {
        return WBS_BAD_VALUE;
    }
    begin(sender, WBS_HELLO);
    u32(sender, hello->boot);
    u32(sender, hello->tick_hz);
    u32(sender, hello->now);
    u8(sender, hello->streams);
    str(sender, hello->maker);
    str(sender, hello->model);
    str(sender, hello->firmware);
    str(sender, hello->device_id);
    return finish(sender);
}

wbs_result wbs_send_stream(wbs_sender *sender, const wbs_stream *stream) {
    if (stream->stream >= WBS_MAX_STREAMS || stream->width < 1 || stream->encoding < WBS_I16 ||
        stream->encoding > WBS_F32 || stream->rate_mhz < 1 || stream->rate_mhz > MOST_RATE_MHZ ||
        !is_finite(stream->scale) || is_zero(stream->scale) || !is_finite(stream->offset) ||
        !fits(stream->signal, 1, WBS_MAX_STR) || !fits(stream->unit, 1, WBS_MAX_STR)) {
        return WBS_BAD_VALUE;
    }
    begin(sender, WBS_STREAM);
    u8(sender, stream->stream);
    str(sender, stream->signal);
    str(sender, stream->unit);
    u8(sender, stream->width);
    u8(sender, stream->encoding);
    u32(sender, stream->rate_mhz);
    u32(sender, bits_of(stream->scale));
    u32(sender, bits_of(stream->offset));
    return finish(sender);
}

wbs_result wbs_send_samples(wbs_sender *sender, const wbs_samples *samples, const uint8_t *bytes,
                            size_t size) {
    if (samples->stream >= WBS_MAX_STREAMS || samples->count < 1 ||
        (samples->count > 1 && samples->step < 1) || size > WBS_MAX_RAW) {
        return WBS_BAD_VALUE;
    }
    begin(sender, WBS_SAMPLES);
    u8(sender, samples->stream);
    u8(sender, samples->count);
    u32(sender, samples->first);
    u32(sender, samples->step);
    raw(sender, bytes, size);
    return finish(sender);
}

wbs_result wbs_send_beats(wbs_sender *sender, const wbs_beat *beats, size_t count) {
    if (count < 1 || count > WBS_MAX_BEATS) {
        return WBS_BAD_VALUE;
    }
    begin(sender, WBS_BEATS);
    u8(sender, (uint8_t)count);
    for (size_t i = 0; i < count; i++) {
        if (beats[i].quality > 100 && beats[i].quality != WBS_UNKNOWN) {
            return WBS_BAD_VALUE;
        }
        u32(sender, beats[i].at);
        u16(sender, beats[i].interval);
        u8(sender, beats[i].quality);
    }
    return finish(sender);
}

wbs_result wbs_send_contact(wbs_sender *sender, uint32_t at, wbs_part part, bool on) {
    if (part != WBS_PULSE && part != WBS_SKIN) {
        return WBS_BAD_VALUE;
    }
    begin(sender, WBS_CONTACT);
    u32(sender, at);
    u8(sender, (uint8_t)part);
    u8(sender, on ? 1 : 0);
    return finish(sender);
}

wbs_result wbs_send_battery(wbs_sender *sender, uint8_t percent, uint8_t charging,
                            uint16_t millivolts) {
    if ((percent > 100 && percent != WBS_UNKNOWN) || (charging > 1 && charging != WBS_UNKNOWN)) {
        return WBS_BAD_VALUE;
    }
    begin(sender, WBS_BATTERY);
    u8(sender, percent);
    u8(sender, charging);
    u16(sender, millivolts);
    return finish(sender);
}

/* Return how much of `text` fits, without half a character (bytes 10xxxxxx go on with one). */
static size_t cut(const char *text, size_t most) {
    size_t size = strlen(text);
    if (size > most) {
        size = most;
        while (size > 0 && ((uint8_t)text[size] & 0xC0u) == 0x80u) {
            size--;
        }
    }
    return size;
}

wbs_result wbs_send_log(wbs_sender *sender, wbs_level level, const char *text) {
    const size_t size = cut(text, WBS_MAX_LOG);
    if ((unsigned)level > WBS_ERROR) {
        return WBS_BAD_VALUE;
    }
    begin(sender, WBS_LOG);
    u8(sender, (uint8_t)level);
    u8(sender, (uint8_t)size);
    raw(sender, (const uint8_t *)text, size);
    return finish(sender);
}

wbs_result wbs_send_fault(wbs_sender *sender, const wbs_fault *fault) {
    if ((fault->stream >= WBS_MAX_STREAMS && fault->stream != WBS_WHOLE_BOARD) ||
        !fits(fault->text, 0, WBS_MAX_FAULT_TEXT)) {
        return WBS_BAD_VALUE;
    }
    begin(sender, WBS_FAULT);
    u32(sender, fault->at);
    u16(sender, fault->code);
    u8(sender, fault->stream);
    u8(sender, fault->active ? 1 : 0);
    str(sender, fault->text);
    return finish(sender);
}

wbs_result wbs_send_time(wbs_sender *sender, uint32_t token, uint32_t received, uint32_t sent) {
    begin(sender, WBS_TIME);
    u32(sender, token);
    u32(sender, received);
    u32(sender, sent);
    return finish(sender);
}

wbs_result wbs_send_setting(wbs_sender *sender, const wbs_setting *setting) {
    if (setting->length > WBS_MAX_VALUE || setting->status > WBS_BUSY) {
        return WBS_BAD_VALUE;
    }
    begin(sender, WBS_SETTING);
    u16(sender, setting->reply_to);
    u8(sender, setting->key);
    u8(sender, setting->index);
    u8(sender, setting->status);
    u8(sender, setting->length);
    raw(sender, setting->value, setting->length);
    return finish(sender);
}
