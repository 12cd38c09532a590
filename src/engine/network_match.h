/* Which architecture a file of weights belongs to, for the sentence about one that does not fit. */
#ifndef SUPCON_ENGINE_NETWORK_MATCH_H
#define SUPCON_ENGINE_NETWORK_MATCH_H

#include "base/safetensors.h"
#include "engine/network.h"

/*
 * *e says which tensor of the file does not fit the network. If that is because the file holds
 * another architecture, the message becomes one that says so: which, when names and shapes identify
 * one that is known, and the keys to change. Always returns -1.
 */
int network_match_explain(const struct network *, const struct st_file *, struct err *e);

#endif
