// How the CPU's threads wait for each other.
#pragma once

namespace vsr::model {

// Torch computes on the CPU with OpenMP, whose threads spin while they wait for one another. Where
// other threads want the same cores (encoders, further ranks, another program) that costs more than
// the work itself: measured on 2 cores with a load of 4, the network took 2.5 times as long.
// OpenMP decides it when the program is loaded, by the environment; so this sets OMP_WAIT_POLICY to
// passive and starts the program again in its place, same arguments, same process id. Does nothing
// if the variable is set, or if starting again fails.
// To be called first thing in main(), before threads, open files or MPI. `argv` is main()'s.
void make_waiting_passive(char** argv);

}  // namespace vsr::model
