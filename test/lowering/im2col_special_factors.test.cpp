// SPDX-License-Identifier: MIT
// Products of im2col with Eigen's special matrices, to which a view is a dense matrix like any other.
#include <unfold/lowering/im2col.hpp>

#include "support/catch.hpp"
#include "support/matrices.hpp"

#include <Eigen/LU>
#include <Eigen/SparseCore>

using namespace unfold;
using test::difference;
using test::integer_matrix;
using test::MatrixX;
using test::times;

TEST_CASE("Diagonal, triangular, self-adjoint, sparse and permutation matrices on either side") {
  using T = double;
  const Conv2DOptions options{.in_channels = 2, .out_channels = 1, .kernel = {3, 2}, .padding = {1, 0, 0, 1}};
  const auto x = test::integer_tensor<T>(Shape{2, 2, 5, 4}, 1);
  const auto X = im2col(x, options);
  const MatrixX<T> plain = test::plain_patches(x, options);
  const Index K = X.rows(), P = X.cols();
  const MatrixX<T> S = integer_matrix<T>(K, K, 2), Q = integer_matrix<T>(P, P, 3);

  const Eigen::Matrix<T, Eigen::Dynamic, 1> k = S.col(0), p = Q.col(0);
  const MatrixX<T> D_k = k.asDiagonal(), D_p = p.asDiagonal();
  CHECK(difference(k.asDiagonal() * X, times(D_k, plain)) == "");
  CHECK(difference(X * p.asDiagonal(), times(plain, D_p)) == "");
  CHECK(difference(p.asDiagonal() * X.transpose(), times(D_p, plain.transpose())) == "");
  CHECK(difference(X.transpose() * k.asDiagonal(), times(plain.transpose(), D_k)) == "");

  const MatrixX<T> upper = S.triangularView<Eigen::Upper>(), lower = Q.triangularView<Eigen::Lower>();
  CHECK(difference(S.triangularView<Eigen::Upper>() * X, times(upper, plain)) == "");
  CHECK(difference(X * Q.triangularView<Eigen::Lower>(), times(plain, lower)) == "");

  const MatrixX<T> symmetric = S.selfadjointView<Eigen::Lower>();
  CHECK(difference(S.selfadjointView<Eigen::Lower>() * X, times(symmetric, plain)) == "");
  CHECK(difference(X.transpose() * S.selfadjointView<Eigen::Lower>(), times(plain.transpose(), symmetric)) == "");

  const Eigen::SparseMatrix<T> sparse_k = S.sparseView(), sparse_p = Q.sparseView();
  CHECK(difference(sparse_k * X, times(S, plain)) == "");
  CHECK(difference(X * sparse_p, times(plain, Q)) == "");

  Eigen::PermutationMatrix<Eigen::Dynamic> turned_k(K), turned_p(P);
  turned_k.setIdentity();
  turned_k.indices().reverseInPlace();
  turned_p.setIdentity();
  turned_p.indices().reverseInPlace();
  CHECK(difference(turned_k * X, plain.colwise().reverse()) == "");
  CHECK(difference(X * turned_p, plain.rowwise().reverse()) == "");

  MatrixX<T> gram = MatrixX<T>::Zero(K, K);
  gram.triangularView<Eigen::Upper>() = X * X.transpose();
  gram.triangularView<Eigen::StrictlyLower>() = X * X.transpose();
  CHECK(difference(gram, times(plain, plain.transpose())) == "");
  const MatrixX<T> unit = MatrixX<T>::Identity(K, K) * T(2);
  CHECK(difference(T(2) * unit.partialPivLu().solve(X), plain) == "");
}
