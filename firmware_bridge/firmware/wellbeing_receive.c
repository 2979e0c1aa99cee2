/* What the host asks; see wellbeing_serial.h. A board that only sends does without this file. */
#include "wellbeing_serial.h"

#define FRONT 1u /* the byte that the stuffing puts in front */
#define HEAD 4u  /* version, type, counter */
#define CRC 4u
#define LEAST_STUFFED (FRONT + HEAD + CRC)

/* Undo the stuffing in place; false if a distance points beyond the end. */
static bool unstuff(uint8_t *frame, size_t size) {
    size_t at = 0;
    while (at < size) {
        const uint8_t distance = frame[at]; /* never zero: a zero ended the frame */
        frame[at] = 0;
        at += distance;
    }
    return at == size;
}

static bool read_content(const uint8_t *payload, size_t size, wbs_request *request) {
    switch (request->type) {
    case WBS_TIME_REQUEST:
        if (size < 4) {
            return false;
        }
        request->token = wbs_get_u32(payload);
        return true;
    case WBS_SET:
        if (size < 3 || size - 3 < payload[2]) {
            return false;
        }
        request->length = payload[2];
        request->value = payload + 3;
        break;
    case WBS_GET:
        if (size < 2) {
            return false;
        }
        break;
    default:
        return true;
    }
    request->key = payload[0];
    request->index = payload[1];
    return true;
}

/* Return NULL if `request` was read, else the counter of the reason why not. */
static uint32_t *decode(wbs_receiver *r, size_t size, wbs_request *request) {
    if (size < LEAST_STUFFED || !unstuff(r->frame, size)) {
        return &r->refused.stuffing;
    }
    const uint8_t *const body = r->frame + FRONT;
    const size_t body_size = size - FRONT - CRC;
    if (wbs_crc32(body, body_size) != wbs_get_u32(body + body_size)) {
        return &r->refused.crc;
    }
    if (body[0] != WBS_VERSION) {
        return &r->refused.version;
    }
    if (body[1] < WBS_HELLO_REQUEST || body[1] > WBS_GET) {
        return &r->refused.type;
    }
    request->type = body[1];
    request->counter = wbs_get_u16(body + 2);
    request->token = 0;
    request->key = 0;
    request->index = 0;
    request->length = 0;
    request->value = NULL;
    return read_content(body + HEAD, body_size - HEAD, request) ? NULL : &r->refused.content;
}

void wbs_start_receiver(wbs_receiver *receiver) {
    static const wbs_refused none;
    receiver->refused = none;
    receiver->size = 0;
    receiver->overlong = false;
    receiver->joined = false;
}

bool wbs_receive(wbs_receiver *receiver, uint8_t byte, wbs_request *request) {
    if (byte != 0) {
        if (receiver->size < WBS_MAX_STUFFED) {
            receiver->frame[receiver->size++] = byte;
        } else {
            receiver->overlong = true;
        }
        return false;
    }
    const size_t size = receiver->size;
    const bool overlong = receiver->overlong;
    const bool joined = receiver->joined;
    receiver->size = 0;
    receiver->overlong = false;
    receiver->joined = true;
    if (size == 0) {
        return false;
    }
    uint32_t *const reason =
        overlong ? &receiver->refused.too_long : decode(receiver, size, request);
    if (reason != NULL && joined) {
        (*reason)++;
    }
    return reason == NULL;
}
