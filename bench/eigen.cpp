// SPDX-License-Identifier: MIT
// Eigen's matrix product on a filled im2col matrix, compiled for this machine (-O3 -march=native -fopenmp): it is what
// it can be, not what plain -O2 makes of it. In a library of its own, so that none of its templates is linked into
// ours.
#include "lowered.hpp"

#include <Eigen/Core>

namespace unfold::bench {

template <class T>
void add_eigen(std::vector<Contender>& to, Operands<T>& o, Direction d, int threads) {
  Eigen::setNbThreads(threads);
  add_lowered("eigen", to, o, d, [](const MatrixProduct<T>& p) {
    using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    using Map = Eigen::Map<const Matrix>;
    Eigen::Map<Matrix> C(p.c, p.m, p.n);
    const Map A(p.a, p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k);
    const Map B(p.b, p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n);
    if (p.beta == T(0)) C.setZero();
    if (p.transpose_a) {
      C.noalias() += A.transpose() * B;
    } else if (p.transpose_b) {
      C.noalias() += A * B.transpose();
    } else {
      C.noalias() += A * B;
    }
  });
}

template void add_eigen<float>(std::vector<Contender>&, Operands<float>&, Direction, int);
template void add_eigen<double>(std::vector<Contender>&, Operands<double>&, Direction, int);

}  // namespace unfold::bench
