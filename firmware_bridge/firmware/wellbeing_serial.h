/*
 * Frames and messages of the serial protocol, version 1, for boards: bytes out, requests in.
 *
 * Portable C99: no heap, no operating system, no globals; all state lies in structures of the
 * caller. What each message means stands in hardware.md, "The serial protocol"; the names here
 * are the names there. Most boards want wellbeing_board.h, which answers the host and keeps the
 * times by itself, and use only the messages from here.
 *
 * Not for use from two contexts at once: one sender belongs to one thread, or to the main loop.
 */
#ifndef WELLBEING_SERIAL_H
#define WELLBEING_SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WBS_VERSION 1u
#define WBS_MAX_PAYLOAD 240u /* [byte] */
#define WBS_MAX_STUFFED 249u /* between two zero bytes [byte] */
#define WBS_MAX_WIRE 250u    /* with the zero byte behind it [byte] */
#define WBS_MAX_STREAMS 16u
#define WBS_MAX_STR 32u        /* of a str, unless said otherwise [byte] */
#define WBS_MAX_LOG 200u       /* of LOG's text [byte] */
#define WBS_MAX_FAULT_TEXT 64u /* [byte] */
#define WBS_MAX_RAW 230u       /* raw values of one SAMPLES [byte] */
#define WBS_MAX_BEATS 34u      /* of one BEATS */
#define WBS_MAX_VALUE 234u     /* of one SETTING [byte] */
#define WBS_UNKNOWN 255u       /* quality, percent, charging: not known */
#define WBS_WHOLE_BOARD 255u   /* stream of a FAULT that concerns all of it */

/* Raw values that say "not measured"; of an f32 it is NaN. */
#define WBS_MISSING_I16 INT16_MIN
#define WBS_MISSING_I32 INT32_MIN

/* What became of a call that sends. */
typedef enum {
    WBS_SENT = 0,
    WBS_BAD_VALUE,  /* a field is out of its range: nothing was sent, no counter was used */
    WBS_NOT_WRITTEN /* `write` had no room: the host will see one frame lost; see wbs_take_back */
} wbs_result;

typedef enum {
    WBS_HELLO = 0x01,
    WBS_STREAM = 0x02,
    WBS_SAMPLES = 0x03,
    WBS_BEATS = 0x04,
    WBS_CONTACT = 0x05,
    WBS_BATTERY = 0x06,
    WBS_LOG = 0x07,
    WBS_FAULT = 0x08,
    WBS_TIME = 0x09,
    WBS_SETTING = 0x0A,
    WBS_HELLO_REQUEST = 0x41,
    WBS_TIME_REQUEST = 0x42,
    WBS_SET = 0x43,
    WBS_GET = 0x44
} wbs_type;

typedef enum { WBS_I16 = 1, WBS_I32 = 2, WBS_F32 = 3 } wbs_encoding;
typedef enum { WBS_PULSE = 0, WBS_SKIN = 1 } wbs_part;
typedef enum { WBS_DEBUG = 0, WBS_INFORMATION = 1, WBS_WARNING = 2, WBS_ERROR = 3 } wbs_level;
typedef enum { WBS_DEVICE_ID = 1, WBS_RATE = 2, WBS_OWN_KEYS = 128 } wbs_key;

typedef enum {
    WBS_NO_ANSWER = 1,
    WBS_SATURATED = 2,
    WBS_ELECTRODE = 3,
    WBS_OVERRUN = 4,
    WBS_SUPPLY = 5,
    WBS_SETTINGS_LOST = 6,
    WBS_OWN_FAULTS = 0x8000
} wbs_fault_code;

typedef enum {
    WBS_KEPT = 0,
    WBS_UNTIL_POWER_OFF = 1,
    WBS_UNKNOWN_KEY = 2,
    WBS_REFUSED = 3,
    WBS_FIXED = 4,
    WBS_BUSY = 5
} wbs_status;

/*
 * Takes one whole frame of up to WBS_MAX_WIRE bytes, or nothing of it.
 *
 * Returns false when there is no room for all of it now; it must not wait. `bytes` may be
 * overwritten when it returns.
 */
typedef bool (*wbs_write)(void *context, const uint8_t *bytes, size_t size);

/* One direction out. Set it up with wbs_start; read its fields, do not write them. */
typedef struct {
    wbs_write write;
    void *context;
    uint32_t lost;    /* frames that `write` had no room for */
    uint16_t counter; /* of the next frame */
    uint16_t size;    /* bytes of the frame in the making */
    uint8_t frame[WBS_MAX_WIRE];
} wbs_sender;

/* HELLO. Texts are UTF-8 that ends with a zero. */
typedef struct {
    uint32_t boot;         /* another one after each start */
    uint32_t tick_hz;      /* 1 000 to 10 000 000 [1/s] */
    uint32_t now;          /* [tick] */
    uint8_t streams;       /* 0 to 16 */
    const char *maker;     /* 1 to 32 bytes, as the next two */
    const char *model;
    const char *firmware;
    const char *device_id; /* wbs_is_device_id, or "" */
} wbs_hello;

/* STREAM: a value is raw * scale + offset, in `unit`. */
typedef struct {
    const char *signal; /* from hardware.md, as `unit` */
    const char *unit;
    uint8_t stream;     /* 0 to 15 */
    uint8_t width;      /* values per sample, at least 1 */
    uint8_t encoding;   /* a wbs_encoding */
    uint32_t rate_mhz;  /* 1 to 200 000 [1/1000 sample per second] */
    float scale;        /* finite, not 0 */
    float offset;       /* finite */
} wbs_stream;

/* SAMPLES, but for its raw values. */
typedef struct {
    uint8_t stream; /* 0 to 15 */
    uint8_t count;  /* at least 1 */
    uint32_t first; /* when the first was measured [tick] */
    uint32_t step;  /* from one to the next, at least 1 unless count is 1 [tick] */
} wbs_samples;

typedef struct {
    uint32_t at;       /* [tick] */
    uint16_t interval; /* since the beat before, 0 not known [0.1 ms] */
    uint8_t quality;   /* 0 to 100, WBS_UNKNOWN [%] */
} wbs_beat;

typedef struct {
    uint32_t at;      /* [tick] */
    uint16_t code;    /* a wbs_fault_code, or 0x8000 and above */
    uint8_t stream;   /* 0 to 15, WBS_WHOLE_BOARD */
    bool active;      /* begins, or ends */
    const char *text; /* up to 64 bytes, may be "" */
} wbs_fault;

/* SETTING: the answer to SET and GET. */
typedef struct {
    uint16_t reply_to;    /* counter of the frame it answers */
    uint8_t key;
    uint8_t index;
    uint8_t status;       /* a wbs_status */
    uint8_t length;       /* of `value`, up to 234 [byte] */
    const uint8_t *value; /* what is in force now; may be NULL when `length` is 0 */
} wbs_setting;

/*
 * Set up `sender` and send the zero byte that ends whatever was printed before.
 *
 * `counter` is that of the first frame; any will do.
 */
void wbs_start(wbs_sender *sender, wbs_write write, void *context, uint16_t counter);

/*
 * Send one frame of any type; the messages below are made of it.
 *
 * WBS_BAD_VALUE if `size` exceeds WBS_MAX_PAYLOAD. `payload` may be NULL when `size` is 0.
 */
wbs_result wbs_send(wbs_sender *sender, uint8_t type, const uint8_t *payload, size_t size);

/* After WBS_NOT_WRITTEN: the same will be said again, so nothing was lost. */
void wbs_take_back(wbs_sender *sender);

/* One message each; WBS_BAD_VALUE if a field is out of the range given above. */
wbs_result wbs_send_hello(wbs_sender *sender, const wbs_hello *hello);
wbs_result wbs_send_stream(wbs_sender *sender, const wbs_stream *stream);

/*
 * `raw` holds count * width values of the stream's encoding, little-endian (wbs_put_u16,
 * wbs_put_u32, wbs_put_f32), in `size` bytes, at most WBS_MAX_RAW.
 */
wbs_result wbs_send_samples(wbs_sender *sender, const wbs_samples *samples, const uint8_t *raw,
                            size_t size);

/* `count` is 1 to WBS_MAX_BEATS. */
wbs_result wbs_send_beats(wbs_sender *sender, const wbs_beat *beats, size_t count);
wbs_result wbs_send_contact(wbs_sender *sender, uint32_t at, wbs_part part, bool on);

/* `percent` 0 to 100, `charging` 0 or 1, WBS_UNKNOWN for both; `millivolts` 0 not known. */
wbs_result wbs_send_battery(wbs_sender *sender, uint8_t percent, uint8_t charging,
                            uint16_t millivolts);

/* A longer text is cut to WBS_MAX_LOG bytes, between two characters. */
wbs_result wbs_send_log(wbs_sender *sender, wbs_level level, const char *text);
wbs_result wbs_send_fault(wbs_sender *sender, const wbs_fault *fault);
wbs_result wbs_send_time(wbs_sender *sender, uint32_t token, uint32_t received, uint32_t sent);
wbs_result wbs_send_setting(wbs_sender *sender, const wbs_setting *setting);

/* What the host asked. `value` lies in the receiver and lives until its next byte. */
typedef struct {
    uint8_t type;         /* WBS_HELLO_REQUEST, WBS_TIME_REQUEST, WBS_SET or WBS_GET */
    uint16_t counter;     /* of the host; SETTING repeats it */
    uint32_t token;       /* of TIME_REQUEST */
    uint8_t key;          /* of SET and GET, as the next one */
    uint8_t index;
    uint8_t length;       /* of SET [byte] */
    const uint8_t *value; /* of SET, `length` bytes */
} wbs_request;

/* Frames that could not be read, by reason. */
typedef struct {
    uint32_t too_long;
    uint32_t stuffing;
    uint32_t crc;
    uint32_t version;
    uint32_t type;
    uint32_t content;
} wbs_refused;

/* One direction in. Set it up with wbs_start_receiver; at most one frame is held. */
typedef struct {
    wbs_refused refused;
    uint16_t size;
    bool overlong;
    bool joined; /* a zero byte was seen: what comes now begins at a frame's start */
    uint8_t frame[WBS_MAX_STUFFED];
} wbs_receiver;

void wbs_start_receiver(wbs_receiver *receiver);

/*
 * Take one byte; true if it completes a request, which is then in `request`.
 *
 * Whatever cannot be read is counted in `refused`, but for what comes before the first zero
 * byte: that may be the tail of a frame.
 */
bool wbs_receive(wbs_receiver *receiver, uint8_t byte, wbs_request *request);

/* Return the CRC-32 of `size` bytes: of "123456789" it is 0xCBF43926. */
uint32_t wbs_crc32(const uint8_t *bytes, size_t size);

/* Write `value` to 2 or 4 bytes, little-endian. A signed one is cast: wbs_put_u16(to, (uint16_t)v). */
void wbs_put_u16(uint8_t *to, uint16_t value);
void wbs_put_u32(uint8_t *to, uint32_t value);
void wbs_put_f32(uint8_t *to, float value);
uint16_t wbs_get_u16(const uint8_t *from);
uint32_t wbs_get_u32(const uint8_t *from);

/* Return whether `size` bytes are a device id: [a-z0-9][a-z0-9_-]{0,31}. */
bool wbs_is_device_id(const uint8_t *bytes, size_t size);

#ifdef __cplusplus
}
#endif

#endif
