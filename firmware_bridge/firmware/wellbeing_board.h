/*
 * A whole board: describes itself, answers the host, keeps the times, packs samples into frames.
 *
 * The caller measures, and calls three functions from one loop:
 *
 *     wbs_board_start(&board, ticks(), random16());
 *     for (;;) {
 *         if (adc_has_value()) wbs_push_i16(&board, 0, ticks(), &value);
 *         while (uart_has_byte()) wbs_board_receive(&board, uart_byte(), ticks());
 *         wbs_board_step(&board, ticks());
 *     }
 *
 * wbs_board_step wants to be called at least every 0.25 s: with that the protocol's times are
 * kept. All times are ticks, a 32-bit counter that starts anywhere and wraps; wbs_extend makes
 * one of a narrower counter.
 */
#ifndef WELLBEING_BOARD_H
#define WELLBEING_BOARD_H

#include "wellbeing_serial.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WBS_BOARD_FAULTS 4u /* that are remembered at a time */

/* One stream with room for the samples that wait. Fill in the first three. */
typedef struct {
    wbs_stream is;
    uint8_t *room;     /* of the caller; for each sample its width times 2 (i16) or 4 bytes */
    uint16_t capacity; /* of `room`, up to WBS_MAX_RAW are used [byte] */

    uint32_t first; /* when the first sample that waits was measured [tick] */
    uint32_t last;
    uint16_t used;
    uint8_t count;
} wbs_board_stream;

/* What only this board can do. Each may be NULL but for `write`; `context` is passed to all. */
typedef struct {
    wbs_write write;
    void *context;

    /* Store the device id ("" takes it away); true if it survives power-off. NULL: it does not. */
    bool (*keep_device_id)(void *context, const char *device_id);

    /*
     * Set the rate of `stream` to the one nearest to `*rate_mhz`, and say which one that is.
     * WBS_KEPT, WBS_UNTIL_POWER_OFF, or WBS_REFUSED, WBS_FIXED, WBS_BUSY if nothing changed.
     * NULL: all rates are fixed.
     */
    wbs_status (*set_rate)(void *context, uint8_t stream, uint32_t *rate_mhz);

    /*
     * The maker's own keys, 128 and above: SET if request->type is WBS_SET, else GET. Put what
     * is in force into `value`, up to WBS_MAX_VALUE bytes, and its length into `*length`.
     */
    wbs_status (*own)(void *context, const wbs_request *request, uint8_t *value, uint8_t *length);
} wbs_hooks;

/* Fill in the first part, zero the rest (`wbs_board board = {...}` does). */
typedef struct {
    const char *maker; /* 1 to 32 bytes, as the next two */
    const char *model;
    const char *firmware;
    char device_id[WBS_MAX_STR + 1]; /* what was stored, or "" */
    uint32_t boot;                   /* another one after each start: random, or counted */
    uint32_t tick_hz;                /* 1 000 to 10 000 000 [1/s] */
    wbs_board_stream *streams;       /* the one at place n has the number n */
    uint8_t stream_count;            /* 0 to 16 */
    uint8_t parts;                   /* it can tell contact of: 1 << WBS_PULSE | 1 << WBS_SKIN */
    wbs_hooks hooks;

    wbs_sender sender;     /* for BATTERY, LOG, BEATS: wbs_send_battery(&board.sender, ...) */
    wbs_receiver receiver; /* its `refused` says what could not be read */
    uint32_t described_at; /* [tick] */
    uint32_t spoke_at;     /* [tick] */
    uint16_t spoke;        /* counter when that was seen */
    uint8_t to_describe;   /* how much of the description is still to be sent */
    uint8_t touching;      /* bits as in `parts` */
    wbs_fault faults[WBS_BOARD_FAULTS];
} wbs_board;

/*
 * Send the zero byte and the first description.
 *
 * WBS_BAD_VALUE if a field is out of range or `room` of a stream does not hold one sample: the
 * board then has no streams, which is seen on the bench at once. What there is no room to send
 * follows with the next steps.
 */
wbs_result wbs_board_start(wbs_board *board, uint32_t now, uint16_t counter);

/* Take one byte of the host, and answer. */
void wbs_board_receive(wbs_board *board, uint8_t byte, uint32_t now);

/* Send what is due: samples that wait, the description every 9 s, HELLO after 1.5 s of silence. */
void wbs_board_step(wbs_board *board, uint32_t now);

/*
 * Take one sample of `stream`, `width` values, measured at `at`.
 *
 * A frame is sent when `room` is full, by wbs_board_step when its first sample is 0.7 s old, and
 * before a sample that does not follow the others at the stream's rate (half a period too early
 * or late). Its `step` is measured: the mean of what lies between its first and last sample.
 *
 * WBS_BAD_VALUE if there is no such stream or it has another encoding.
 */
wbs_result wbs_push_i16(wbs_board *board, uint8_t stream, uint32_t at, const int16_t *values);
wbs_result wbs_push_i32(wbs_board *board, uint8_t stream, uint32_t at, const int32_t *values);
wbs_result wbs_push_f32(wbs_board *board, uint8_t stream, uint32_t at, const float *values);

/* The same, but not measured: keeps the samples around it in one frame. */
wbs_result wbs_push_missing(wbs_board *board, uint8_t stream, uint32_t at);

/* Say, if it is news, whether `part` touches skin since `at`. WBS_SENT too if it is none. */
wbs_result wbs_board_contact(wbs_board *board, uint32_t at, wbs_part part, bool on);

/*
 * Say that a fault begins, or ends. One that lasts is said again with each description, so its
 * `text` must live as long as it does; of more than WBS_BOARD_FAULTS the rest is said only once.
 */
wbs_result wbs_board_fault(wbs_board *board, const wbs_fault *fault);

/* Set up with `= {0}`. */
typedef struct {
    uint32_t ticks;
    uint32_t raw;
} wbs_extender;

/*
 * Make 32-bit ticks of a counter with `bits` bits (1 to 32) that now shows `raw`.
 *
 * To be called at least once per wrap of the counter: nRF's 24-bit RTC at 32 768 Hz wraps in
 * 512 s, a 16-bit timer at 1 MHz in 65 ms. Not from two contexts at once.
 */
uint32_t wbs_extend(wbs_extender *extender, uint32_t raw, unsigned bits);

#ifdef __cplusplus
}
#endif

#endif
