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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../wellbeing_board.h"

#define MOST_WORDS 512
#define MOST_LINE 65536

typedef struct {
    int size;
    char *word[MOST_WORDS];
} line;

static wbs_sender sender;
static wbs_receiver receiver;

static void print_hex(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        (void)printf("%02x", bytes[i]);
    }
    (void)putchar('\n');
}

static bool print_frame(void *context, const uint8_t *bytes, size_t size) {
    (void)context;
    if (size > 1) { /* not the zero byte of the start */
        print_hex(bytes, size);
    }
    return true;
}

static uint32_t number(const line *l, int i) {
    return i < l->size ? (uint32_t)strtoul(l->word[i], NULL, 10) : 0u;
}

static uint8_t byte(const line *l, int i) {
    return (uint8_t)number(l, i);
}

static size_t unhex(const char *hex, uint8_t *bytes) {
    size_t size = 0;
    for (; strcmp(hex, "-") != 0 && hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
        const char pair[3] = {hex[0], hex[1], '\0'};
        bytes[size++] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return size;
}

/* Decode a word in place: hexadecimal is longer than what it stands for. */
static size_t raw(const line *l, int i) {
    return i < l->size ? unhex(l->word[i], (uint8_t *)l->word[i]) : 0u;
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
    const char *const what = l->word[0];
    if (strcmp(what, "hello") == 0) {
        *result = hello(l);
    } else if (strcmp(what, "stream") == 0) {
        *result = stream(l);
    } else if (strcmp(what, "samples") == 0) {
        *result = samples(l);
    } else if (strcmp(what, "beats") == 0) {
        *result = beats(l);
    } else if (strcmp(what, "contact") == 0) {
        *result = wbs_send_contact(&sender, number(l, 1), (wbs_part)number(l, 2), number(l, 3) != 0);
    } else if (strcmp(what, "battery") == 0) {
        *result = wbs_send_battery(&sender, byte(l, 1), byte(l, 2), (uint16_t)number(l, 3));
    } else if (strcmp(what, "log") == 0) {
        *result = wbs_send_log(&sender, (wbs_level)number(l, 1), text(l, 2));
    } else if (strcmp(what, "fault") == 0) {
        *result = fault(l);
    } else if (strcmp(what, "time") == 0) {
        *result = wbs_send_time(&sender, number(l, 1), number(l, 2), number(l, 3));
    } else if (strcmp(what, "setting") == 0) {
        *result = setting(l);
    } else if (strcmp(what, "send") == 0) {
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
    } else if (strcmp(l->word[0], "counter") == 0) {
        wbs_start(&sender, print_frame, NULL, (uint16_t)number(l, 1));
    } else if (strcmp(l->word[0], "bytes") == 0) {
        receive(l);
    } else if (strcmp(l->word[0], "crc") == 0) {
        const size_t size = raw(l, 1);
        (void)printf("%lu\n", (unsigned long)wbs_crc32((const uint8_t *)l->word[1], size));
    } else if (strcmp(l->word[0], "extend") == 0) {
        extend(l);
    } else {
        (void)printf("what is %s?\n", l->word[0]);
    }
}

int main(void) {
    static char text_of[MOST_LINE];
    wbs_start(&sender, print_frame, NULL, 0);
    wbs_start_receiver(&receiver);
    while (fgets(text_of, sizeof text_of, stdin) != NULL) {
        line l = {0, {NULL}};
        for (char *word = strtok(text_of, " \n"); word != NULL; word = strtok(NULL, " \n")) {
            l.word[l.size] = word;
            l.size += l.size + 1 < MOST_WORDS ? 1 : 0;
        }
        if (l.size > 0) {
            obey(&l);
            (void)fflush(stdout);
        }
    }
    return 0;
}
