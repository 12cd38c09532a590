/* The table over all settings; sections of modules stand with their modules. */
#include "engine/settings.h"

#include "arch/model_conf.h"
#include "data/augment.h"
#include "objective/objective_conf.h"
#include "optim/optim_conf.h"

#include <math.h>

static const char *policy_name(int i)
{
    return augment_classes[i] ? augment_classes[i]->name : NULL;
}

static const struct conf_field run_fields[] = {
    {.name = "name",
     .type = CONF_STRING,
     CONF_AT(struct run_conf, name),
     .value = "",
     .help = "Name of the run; empty for the name of the recipe."},
    {.name = "runs",
     .type = CONF_STRING,
     CONF_AT(struct run_conf, runs),
     .value = "runs",
     .help = "Folder in which run directories are created."},
    {.name = "seed",
     .type = CONF_INT,
     CONF_AT(struct run_conf, seed),
     .value = "1",
     .min = 0,
     .max = INFINITY,
     .help = "Key of every random draw: weights, order, augmentation, validation split."},
    {.name = "threads",
     .type = CONF_INT,
     CONF_AT(struct run_conf, threads),
     .value = "0",
     .min = 0,
     .max = 1024,
     .unit = "threads",
     .help = "Threads of the CPU device; 0 for the affinity mask and SLURM_CPUS_PER_TASK. Results "
             "are bit-identical at a fixed number."},
    {.name = "device",
     .type = CONF_STRING,
     CONF_AT(struct run_conf, device),
     .value = "auto",
     .help = "Where to compute: auto (the best there is), cpu, cuda, or cuda:N."},
    {.name = "deterministic",
     .type = CONF_BOOL,
     CONF_AT(struct run_conf, deterministic),
     .value = "true",
     .help = "Only algorithms that give the same bits every time."},
    {0}};

static const struct conf_field train_fields[] = {
    {.name = "epochs",
     .type = CONF_INT,
     CONF_AT(struct train_conf, epochs),
     .value = "100",
     .min = 1,
     .max = 100000,
     .unit = "epochs",
     .help = "Passes over the training images."},
    {.name = "batch_size",
     .type = CONF_INT,
     CONF_AT(struct train_conf, batch_size),
     .value = "256",
     .min = 2,
     .max = 65536,
     .unit = "images",
     .help = "Images in a batch; each gives as many rows as there are views."},
    {.name = "max_iters",
     .type = CONF_INT,
     CONF_AT(struct train_conf, max_iters),
     .value = "0",
     .min = 0,
     .max = 1e12,
     .unit = "iterations",
     .help = "Stop after this many iterations from the start of the run; 0 for no limit."},
    {.name = "log_every",
     .type = CONF_INT,
     CONF_AT(struct train_conf, log_every),
     .value = "10",
     .min = 1,
     .max = 1000000,
     .unit = "iterations",
     .help = "Iterations between lines of batch output; metrics.jsonl holds every iteration."},
    {0}};

static const struct conf_field checkpoint_fields[] = {
    {.name = "every_epochs",
     .type = CONF_INT,
     CONF_AT(struct checkpoint_conf, every_epochs),
     .value = "1",
     .min = 0,
     .max = 100000,
     .unit = "epochs",
     .help = "Epochs between checkpoints; 0 for none but the last."},
    {.name = "every_iters",
     .type = CONF_INT,
     CONF_AT(struct checkpoint_conf, every_iters),
     .value = "0",
     .min = 0,
     .max = 1e12,
     .unit = "iterations",
     .help = "Iterations between checkpoints; 0 for none."},
    {.name = "keep",
     .type = CONF_INT,
     CONF_AT(struct checkpoint_conf, keep),
     .value = "3",
     .min = 1,
     .max = 100000,
     .unit = "checkpoints",
     .help = "Newest checkpoints that are kept, besides the best."},
    {.name = "retry_seconds",
     .type = CONF_INT,
     CONF_AT(struct checkpoint_conf, retry_seconds),
     .value = "60",
     .min = 0,
     .max = 86400,
     .unit = "seconds",
     .help = "How long a last save that fails, as on a full disk, is tried again before the run "
             "ends with the error; a console waits for its person instead."},
    {0}};

static const struct conf_field linear_fields[] = {
    {.name = "at_end",
     .type = CONF_BOOL,
     CONF_AT(struct linear_conf, at_end),
     .value = "false",
     .help = "Evaluate the last checkpoint when training ends; refused where there are no test "
             "images."},
    {.name = "epochs",
     .type = CONF_INT,
     CONF_AT(struct linear_conf, epochs),
     .value = "30",
     .min = 1,
     .max = 100000,
     .unit = "epochs",
     .help = "Passes over the features."},
    {.name = "batch_size",
     .type = CONF_INT,
     CONF_AT(struct linear_conf, batch_size),
     .value = "256",
     .min = 1,
     .max = 65536,
     .unit = "images",
     .help = "Images in a batch."},
    {.name = "lr",
     .type = CONF_FLOATS,
     CONF_AT(struct linear_conf, lr),
     .count_offset = offsetof(struct linear_conf, n_lr),
     .value = "[0.1, 1.0, 10.0]",
     .min = 0,
     .max = 10000,
     .help =
         "A learning rate, or several that are trained side by side; the best on the validation "
         "images is reported."},
    {.name = "optimizer",
     .type = CONF_CHOICE,
     CONF_AT(struct linear_conf, optimizer),
     .value = "sgd",
     .choices = optim_name,
     .help = "Optimizer rule of the classifier."},
    {.name = "schedule",
     .type = CONF_CHOICE,
     CONF_AT(struct linear_conf, schedule),
     .value = "cosine",
     .choices = schedule_name,
     .help = "How its learning rate changes."},
    OPTIM_RULE_FIELDS(struct linear_conf, "0"),
    {.name = "policy",
     .type = CONF_CHOICE,
     CONF_AT(struct linear_conf, policy),
     .value = "none",
     .choices = policy_name,
     .help = "Augmentation of its training images; with none the features are computed once."},
    {0}};

static const struct conf_field probe_fields[] = {
    {.name = "lr",
     .type = CONF_FLOAT,
     CONF_AT(struct probe_conf, lr),
     .value = "0.1",
     .min = 0,
     .max = 1000,
     .help =
         "Learning rate of the linear classifier that watches a contrastive run; it follows the "
         "schedule and sends no gradient into the encoder."},
    {0}};

static const struct conf_field init_fields[] = {
    {.name = "weights",
     .type = CONF_STRING,
     CONF_AT(struct init_conf, weights),
     .value = "",
     .help = "Safetensors file to start from, under torchvision's names; heads that it lacks are "
             "initialised from the seed. Empty for none."},
    {0}};

#define SECTION(member) offsetof(struct settings, member)

const struct conf_section settings_table[] = {
    {"", "The run as a whole.", SECTION(run), run_fields},
    {"data", "The images.", SECTION(data), data_conf_fields},
    {"loader", "Threads that prepare batches.", SECTION(loader), loader_conf_fields},
    {"augment", "Views of an image.", SECTION(augment), augment_conf_fields},
    {"model", "The encoder and its projection head.", SECTION(model), model_conf_fields},
    {"objective", "The loss.", SECTION(objective), objective_conf_fields},
    {"optimizer", "The rule that changes the weights.", SECTION(optimizer), optimizer_conf_fields},
    {"schedule", "The learning rate over time.", SECTION(schedule), schedule_conf_fields},
    {"train", "Length and batches of the training.", SECTION(train), train_fields},
    {"checkpoint", "When checkpoints are written and which stay.", SECTION(checkpoint),
     checkpoint_fields},
    {"linear", "Linear evaluation: a classifier on the frozen encoder's features.", SECTION(linear),
     linear_fields},
    {"probe", "The online probe.", SECTION(probe), probe_fields},
    {"init", "Where the weights start.", SECTION(init), init_fields},
    {0}};
