// SPDX-License-Identifier: MIT
// OpenBLAS's matrix product on a filled im2col matrix.
#include "lowered.hpp"

#include <cblas.h>

namespace unfold::bench {

template <class T>
void add_openblas(std::vector<Contender>& to, Operands<T>& o, Direction d, int threads) {
  openblas_set_num_threads(threads);
  add_lowered("openblas", to, o, d, [](const MatrixProduct<T>& p) {
    const auto transpose = [](bool t) { return t ? CblasTrans : CblasNoTrans; };
    const auto m = static_cast<blasint>(p.m), n = static_cast<blasint>(p.n), k = static_cast<blasint>(p.k);
    const blasint lda = p.transpose_a ? m : k, ldb = p.transpose_b ? k : n;
    const auto gemm = [](auto... arguments) {
      if constexpr (std::is_same_v<T, float>) {
        cblas_sgemm(arguments...);
      } else {
        cblas_dgemm(arguments...);
      }
    };
    gemm(CblasRowMajor, transpose(p.transpose_a), transpose(p.transpose_b), m, n, k, T(1), p.a, lda, p.b, ldb, p.beta,
         p.c, n);
  });
}

template void add_openblas<float>(std::vector<Contender>&, Operands<float>&, Direction, int);
template void add_openblas<double>(std::vector<Contender>&, Operands<double>&, Direction, int);

}  // namespace unfold::bench
