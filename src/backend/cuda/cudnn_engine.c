/*
 * Engine configurations: what cuDNN's heuristics recommend for a graph, described by a text from
 * which the same configuration is made again; see cudnn_graph.h.
 */
#include "backend/cuda/cudnn_graph.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_KNOBS = CUDNN_KNOB_TYPE_COUNTS, PER_MODE = 32 };

/* Descriptors to be filled by a query, all of one type. */
static int create(cudnnBackendDescriptor_t *d, int n, cudnnBackendDescriptorType_t type)
{
    memset(d, 0, (size_t)n * sizeof *d);
    for (int i = 0; i < n; i++)
        if (cudnnBackendCreateDescriptor(type, &d[i]) != CUDNN_STATUS_SUCCESS)
            return -1;
    return 0;
}

static void drop_all(cudnnBackendDescriptor_t *d, int n)
{
    for (int i = 0; i < n; i++)
        dnn_drop(&d[i]);
}

static int query(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                 cudnnBackendAttributeType_t type, int room, void *out)
{
    int64_t n = 0;
    if (cudnnBackendGetAttribute(d, name, type, room, &n, out) != CUDNN_STATUS_SUCCESS)
        return -1;
    return (int)(n < room ? n : room);
}

/* --- what a configuration is ------------------------------------------------------------------ */

static unsigned notes_of(cudnnBackendDescriptor_t engine)
{
    static const unsigned numerical[CUDNN_NUMERICAL_NOTE_TYPE_COUNT] = {
        [CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC] = DNN_NONDETERMINISTIC,
        [CUDNN_NUMERICAL_NOTE_TENSOR_CORE] = DNN_TENSOR_CORE,
        [CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS] = DNN_ROUNDS_INPUTS,
        [CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION] = DNN_ROUNDS_SUMS,
    };
    cudnnBackendNumericalNote_t note[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
    cudnnBackendBehaviorNote_t manner[CUDNN_BEHAVIOR_NOTE_TYPE_COUNT];
    unsigned notes = 0;
    int n = query(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                  CUDNN_NUMERICAL_NOTE_TYPE_COUNT, note);
    for (int i = 0; i < n; i++)
        if ((unsigned)note[i] < CUDNN_NUMERICAL_NOTE_TYPE_COUNT)
            notes |= numerical[note[i]];
    n = query(engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
              CUDNN_BEHAVIOR_NOTE_TYPE_COUNT, manner);
    for (int i = 0; i < n; i++)
        if (manner[i] == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION)
            notes |= DNN_COMPILES;
    return notes;
}

static int append(char text[DNN_TEXT], const char *front, int64_t number)
{
    size_t at = strlen(text);
    int n = snprintf(text + at, DNN_TEXT - at, "%s%lld", front, (long long)number);
    return n < 0 || at + (size_t)n >= DNN_TEXT ? -1 : 0;
}

static int describe_knobs(cudnnBackendDescriptor_t config, char text[DNN_TEXT])
{
    cudnnBackendDescriptor_t knob[MAX_KNOBS];
    int rc = create(knob, MAX_KNOBS, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
    int n = rc ? 0
               : query(config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                       MAX_KNOBS, knob);
    for (int i = 0; rc == 0 && i < n; i++) {
        cudnnBackendKnobType_t type;
        int64_t value;
        if (query(knob[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &type) != 1 ||
            query(knob[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1, &value) != 1)
            rc = -1;
        else
            rc = append(text, i ? "," : ":", (int64_t)type) || append(text, "=", value) ? -1 : 0;
    }
    drop_all(knob, MAX_KNOBS);
    return rc;
}

/* Notes and text of c->config. */
static int describe(struct dnn_config *c)
{
    cudnnBackendDescriptor_t engine;
    int64_t index = -1;
    c->text[0] = '\0';
    int rc = create(&engine, 1, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    if (rc == 0 &&
        (query(c->config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &engine) !=
             1 ||
         query(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &index) != 1 ||
         append(c->text, "", index)))
        rc = -1;
    if (rc == 0) {
        c->notes = notes_of(engine);
        rc = describe_knobs(c->config, c->text);
    }
    dnn_drop(&engine);
    return rc;
}

void dnn_config_done(struct dnn_config *c)
{
    dnn_drop(&c->config);
}

/* --- heuristics ------------------------------------------------------------------------------- */

static bool is_known(const struct dnn_config *all, int n, const char *text)
{
    for (int i = 0; i < n; i++)
        if (strcmp(all[i].text, text) == 0)
            return true;
    return false;
}

/* Add what one heuristic recommends; one that knows nothing adds nothing. */
static int ask(const struct dnn_graph *g, cudnnBackendHeurMode_t mode,
               struct dnn_config out[DNN_CONFIGS], int n)
{
    cudnnBackendDescriptor_t heuristic, found[PER_MODE];
    struct err ignored = {0};
    const struct dnn_attribute a[] = {
        {CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->graph},
        {CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode},
        {CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->gpu},
    };
    if (dnn_make(&heuristic, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, "heuristic", a, g->gpu ? 3 : 2,
                 &ignored))
        return n;
    int count = create(found, PER_MODE, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR) ? 0 : PER_MODE;
    if (count)
        count = query(heuristic, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                      PER_MODE, found);
    for (int i = 0; i < count && n < DNN_CONFIGS; i++) {
        struct dnn_config *c = &out[n];
        c->config = found[i];
        if (describe(c) || is_known(out, n, c->text))
            continue;
        found[i] = NULL; /* is out's now */
        n++;
    }
    drop_all(found, PER_MODE);
    dnn_drop(&heuristic);
    return n;
}

int dnn_configs(const struct dnn_graph *g, struct dnn_config out[DNN_CONFIGS])
{
    static const cudnnBackendHeurMode_t modes[] = {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_B,
                                                   CUDNN_HEUR_MODE_FALLBACK};
    int n = 0;
    memset(out, 0, DNN_CONFIGS * sizeof *out);
    for (int i = 0; i < 3; i++)
        n = ask(g, modes[i], out, n);
    if (n < DNN_CONFIGS)
        out[n].config = NULL;
    return n;
}

/* --- from a text ------------------------------------------------------------------------------ */

/* A number at *at, which is moved behind it. */
static int take_number(const char **at, int64_t *out)
{
    size_t sign = **at == '-';
    char *end;
    if (!isdigit((unsigned char)(*at)[sign]))
        return -1;
    *out = strtoll(*at, &end, 10);
    *at = end;
    return 0;
}

/* ":KNOB=VALUE,KNOB=VALUE" up to the end of the text. */
static int parse_knobs(const char *at, cudnnBackendDescriptor_t *knob, int *n, struct err *e)
{
    for (*n = 0; *at && *n < MAX_KNOBS; ++*n) {
        cudnnBackendKnobType_t type;
        int64_t number, value;
        if (*at++ != (*n ? ',' : ':') || take_number(&at, &number) || *at++ != '=' ||
            take_number(&at, &value))
            return -1;
        type = (cudnnBackendKnobType_t)number;
        const struct dnn_attribute a[] = {
            {CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &type},
            {CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1, &value},
        };
        if (dnn_make(&knob[*n], CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, "knob", a, 2, e))
            return -1;
    }
    return *at ? -1 : 0;
}

static int make_config(struct dnn_config *c, cudnnBackendDescriptor_t engine,
                       cudnnBackendDescriptor_t *knob, int n, struct err *e)
{
    const struct dnn_attribute a[] = {
        {CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &engine},
        {CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, n, knob},
    };
    return dnn_make(&c->config, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, "engine configuration", a,
                    n ? 2 : 1, e);
}

int dnn_config_parse(struct dnn_config *c, const struct dnn_graph *g, const char *text,
                     struct err *e)
{
    cudnnBackendDescriptor_t engine = NULL, knob[MAX_KNOBS] = {0};
    int n = 0;
    int64_t index = -1;
    const struct dnn_attribute a[] = {
        {CUDNN_ATTR_ENGINE_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->graph},
        {CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &index},
        {CUDNN_ATTR_ENGINE_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->gpu},
    };
    *c = (struct dnn_config){0};
    const char *at = text;
    int rc = take_number(&at, &index) || parse_knobs(at, knob, &n, e) ? -1 : 0;
    if (rc == 0)
        rc = dnn_make(&engine, CUDNN_BACKEND_ENGINE_DESCRIPTOR, "engine", a, g->gpu ? 3 : 2, e);
    if (rc == 0)
        rc = make_config(c, engine, knob, n, e);
    if (rc == 0) {
        c->notes = notes_of(engine);
        snprintf(c->text, sizeof c->text, "%s", text);
    }
    drop_all(knob, MAX_KNOBS);
    dnn_drop(&engine);
    return rc;
}
