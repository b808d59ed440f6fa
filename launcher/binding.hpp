// The processors that mpirun leaves a rank.
#pragma once

namespace vsr::launcher {

// Open MPI binds each of one or two ranks to a core where nobody has said otherwise, and leaves all
// others idle, which a rank's decoders and encoders want. A rank that is bound so gets the
// processors that mpirun itself, or its daemon on that host, may use: those that the scheduler has
// given. What was asked for (--bind-to core) stays with Open MPI 4; 5 does not tell.
//
// To be called before there are other threads.
void leave_single_core();

}  // namespace vsr::launcher
