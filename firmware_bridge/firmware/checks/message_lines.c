/*
 * Messages as lines of text in, frames as hexadecimal out; and the other way round. What another
 * implementation is compared with, byte by byte (the tests do so against the host's decoder).
 *
 *     counter 65535                           the next frame's counter
 *     hello 7 10000 0 2 MAKER MODEL FIRMWARE ID      texts as hexadecimal, - for none
 *     stream 0 SIGNAL UNIT 1 1 100000 SCALE OFFSET   the floats as the 32 bits they are made of
 *     samples 0 2 1000 10 RAW        beats AT INTERVAL QUALITY ...     contact 1000 0 1
 *     battery 87 1 3980              log 2 TEXT                        fault 1000 3 255 1 TEXT
 *     time 1 2 3                     setting 9 1 0 0 VALUE             send 77 PAYLOAD
 *
 * Each is answered by one line: the frame, or "bad value". Then:
 *
 *     bytes HEX       each request they complete as a line, then: refused 0 0 0 0 0 0
 *     crc HEX         the check sum
 *     extend BITS RAW ...    the extended ticks
 */
#include "../wellbeing_board.h"
#include "words.h"

static wbs_sender sender;
static wbs_receiver receiver;

static bool print_frame(void *context, const uint8_t *bytes, size_t size) {
    (void)context;
    if (size > 1) { /* not the zero byte of the start */
        print_hex(bytes, size);
    }
    return true;
}

static const char *text(const line *l, int i) {
    if (i >= l->size) {
        return "";
    }
    const size_t size = raw(l, i);
    l->word[i][size] = '\0';
    return l->word[i];
}

static float real(const line *l, int i) {
    const uint32_t bits = number(l, i);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static wbs_result hello(const line *l) {
    const wbs_hello m = {number(l, 1), number(l, 2), number(l, 3), byte(l, 4),
                         text(l, 5),   text(l, 6),   text(l, 7),   text(l, 8)};
    return wbs_send_hello(&sender, &m);
}

static wbs_result stream(const line *l) {
    const wbs_stream m = {text(l, 2), text(l, 3),   byte(l, 1), byte(l, 4),
                          byte(l, 5), number(l, 6), real(l, 7), real(l, 8)};
    return wbs_send_stream(&sender, &m);
}

static wbs_result samples(const line *l) {
    const wbs_samples m = {byte(l, 1), byte(l, 2), number(l, 3), number(l, 4)};
    const size_t size = raw(l, 5);
    return wbs_send_samples(&sender, &m, (const uint8_t *)l->word[5], size);
}

static wbs_result beats(const line *l) {
    static wbs_beat m[MOST_WORDS];
    size_t count = 0;
    for (int i = 1; i + 2 < l->size; i += 3) {
        m[count].at = number(l, i);
        m[count].interval = (uint16_t)number(l, i + 1);
        m[count++].quality = byte(l, i + 2);
    }
    return wbs_send_beats(&sender, m, count);
}

static wbs_result fault(const line *l) {
    const wbs_fault m = {number(l, 1), (uint16_t)number(l, 2), byte(l, 3), number(l, 4) != 0,
                         text(l, 5)};
    return wbs_send_fault(&sender, &m);
}

static wbs_result setting(const line *l) {
    const uint8_t length = (uint8_t)raw(l, 5);
    const wbs_setting m = {(uint16_t)number(l, 1), byte(l, 2), byte(l, 3), byte(l, 4), length,
                           (const uint8_t *)l->word[5]};
    return wbs_send_setting(&sender, &m);
}

/* Return false if the line is no message. */
static bool sends(const line *l, wbs_result *result) {
    if (is(l, "hello")) {
        *result = hello(l);
    } else if (is(l, "stream")) {
        *result = stream(l);
    } else if (is(l, "samples")) {
        *result = samples(l);
    } else if (is(l, "beats")) {
        *result = beats(l);
    } else if (is(l, "contact")) {
        *result = wbs_send_contact(&sender, number(l, 1), (wbs_part)number(l, 2), number(l, 3) != 0);
    } else if (is(l, "battery")) {
        *result = wbs_send_battery(&sender, byte(l, 1), byte(l, 2), (uint16_t)number(l, 3));
    } else if (is(l, "log")) {
        *result = wbs_send_log(&sender, (wbs_level)number(l, 1), text(l, 2));
    } else if (is(l, "fault")) {
        *result = fault(l);
    } else if (is(l, "time")) {
        *result = wbs_send_time(&sender, number(l, 1), number(l, 2), number(l, 3));
    } else if (is(l, "setting")) {
        *result = setting(l);
    } else if (is(l, "send")) {
        const size_t size = raw(l, 2);
        *result = wbs_send(&sender, byte(l, 1), (const uint8_t *)l->word[2], size);
    } else {
        return false;
    }
    return true;
}

static void receive(const line *l) {
    const size_t size = raw(l, 1);
    for (size_t i = 0; i < size; i++) {
        wbs_request r;
        if (wbs_receive(&receiver, (uint8_t)l->word[1][i], &r)) {
            (void)printf("%u %u %lu %u %u %u ", r.type, r.counter, (unsigned long)r.token, r.key,
                         r.index, r.length);
            print_hex(r.value, r.length);
        }
    }
    const wbs_refused *const n = &receiver.refused;
    (void)printf("refused %lu %lu %lu %lu %lu %lu\n", (unsigned long)n->too_long,
                 (unsigned long)n->stuffing, (unsigned long)n->crc, (unsigned long)n->version,
                 (unsigned long)n->type, (unsigned long)n->content);
}

static void extend(const line *l) {
    wbs_extender extender = {0, 0};
    for (int i = 2; i < l->size; i++) {
        (void)printf("%lu ", (unsigned long)wbs_extend(&extender, number(l, i), number(l, 1)));
    }
    (void)putchar('\n');
}

static void obey(const line *l) {
    wbs_result result;
    if (sends(l, &result)) {
        if (result != WBS_SENT) {
            (void)puts("bad value");
        }
    } else if (is(l, "counter")) {
        wbs_start(&sender, print_frame, NULL, (uint16_t)number(l, 1));
    } else if (is(l, "bytes")) {
        receive(l);
    } else if (is(l, "crc")) {
        const size_t size = raw(l, 1);
        (void)printf("%lu\n", (unsigned long)wbs_crc32((const uint8_t *)l->word[1], size));
    } else if (is(l, "extend")) {
        extend(l);
    } else {
        (void)printf("what is %s?\n", l->word[0]);
    }
}

int main(void) {
    line l;
    wbs_start(&sender, print_frame, NULL, 0);
    wbs_start_receiver(&receiver);
    while (read_line(&l)) {
        obey(&l);
        (void)fflush(stdout);
    }
    return 0;
}
