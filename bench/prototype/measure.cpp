#include <unfold/engine/products.hpp>
#include <unfold/core/tensor.hpp>
#include <cstdio>
#include <cstdlib>
#include <cmath>
#include <cstring>
#include <ctime>
using namespace unfold; using namespace unfold::engine;
static double now(){timespec t; clock_gettime(CLOCK_THREAD_CPUTIME_ID,&t); return double(t.tv_sec)+1e-9*double(t.tv_nsec);}
template<class T> double peak(){ auto& t=tiles<T>(); static std::vector<T> a(14*64,T(1)),b(64*64,T(2)),c(14*64); double s=now(); for(int q=0;q<100;++q)t.multiply[0].run(64,a.data(),0,b.data(),c.data(),t.columns,true); double e=now()-s; return 2.0*double(t.multiply[0].rows*t.columns)*64*100/e; }
const char* only=nullptr;
template<class T> void conv(const Filters<const T>& a, Index M, const Batch<const T>& x, Index N, Index C, const Axis& h, const Axis& w, const Batch<T>& y){ if(M<=most_few_rows)convolve_few_rows(a,M,x,N,C,h,w,y,T(1),true); else convolve(a,M,x,N,C,h,w,y,T(1),true);}
template<class T> void contr(const Batch<const T>& dy, Index M, const Batch<const T>& x, Index N, Index C, const Axis& h, const Axis& w, const Strided<T>& dw){ if(M<=4||C*h.taps*w.taps<=36)contract_dots(dy,M,x,N,C,h,w,dw,T(1),true); else contract(dy,M,x,N,C,h,w,dw,T(1),true);}
template<class T> void grouped(const char* name, Index N, Index C,Index H,Index k,Index p,Index G){
  if(only&&!strstr(name,only))return;
  Index g=C/G; Tensor<T,4> x({N,C,H,H},T(1)),w({C,g,k,k},T(1)),y(x.shape()),dw(w.shape()),dx(x.shape()); Axis h{H,H,1,k,-p,1};
  auto fw=[&]{for(Index q=0;q<G;++q)conv(Filters<const T>{w.data()+q*g*g*k*k,g*k*k,k*k,k,1},g,Batch<const T>{x.data()+q*g*H*H,C*H*H,H*H,H,1},N,g,h,h,Batch<T>{y.data()+q*g*H*H,C*H*H,H*H,H,1});};
  auto bx=[&]{Axis a=gradient_axis(h,0);for(Index q=0;q<G;++q)conv(Filters<const T>{w.data()+q*g*g*k*k,k*k,g*k*k,k,1},g,Batch<const T>{y.data()+q*g*H*H,C*H*H,H*H,H,1},N,g,a,a,Batch<T>{dx.data()+q*g*H*H,C*H*H,H*H,H,1});};
  auto bw=[&]{for(Index q=0;q<G;++q)contr(Batch<const T>{y.data()+q*g*H*H,C*H*H,H*H,H,1},g,Batch<const T>{x.data()+q*g*H*H,C*H*H,H*H,H,1},N,g,h,h,Strided<T>{dw.data()+q*g*g*k*k,g*k*k,1});};
  double flop=2.0*double(y.size())*double(g*k*k);
  double pk=0,b[3]={1e9,1e9,1e9}; double t0=now(); do{ pk=std::max(pk,peak<T>()); double s0=now(); fw(); double s1=now(); bx(); double s2=now(); bw(); double s3=now(); b[0]=std::min(b[0],s1-s0); b[1]=std::min(b[1],s2-s1); b[2]=std::min(b[2],s3-s2);}while(now()-t0<1);
  std::printf("%-20s  fwd %3.0f%% dx %3.0f%% dw %3.0f%% of %.0f\n",name,100*flop/b[0]/pk,100*flop/b[1]/pk,100*flop/b[2]/pk,pk*1e-9);
}
template<class T> void run(const char* name, Index N, Index C,Index O,Index H,Index k,Index s,Index p){
  if(only&&!strstr(name,only))return;
  Index OH=(H+2*p-k)/s+1;
  Tensor<T,4> x({N,C,H,H}),w({O,C,k,k}),y({N,O,OH,OH}),dw(w.shape()),dx(x.shape()); for(Index i=0;i<x.size();++i)x.data()[i]=T(rand()%17-8); for(Index i=0;i<w.size();++i)w.data()[i]=T(rand()%17-8); y.fill(T(NAN)); dw.fill(T(NAN)); dx.fill(T(NAN));
  Axis h{OH,H,s,k,-p,1};
  Filters<const T> f{w.data(),C*k*k,k*k,k,1}, ft{w.data(),k*k,C*k*k,k,1}; Batch<const T> xb{x.data(),C*H*H,H*H,H,1}; Batch<T> yb{y.data(),O*OH*OH,OH*OH,OH,1};
  auto fw=[&]{conv(f,O,xb,N,C,h,h,yb);};
  auto bx=[&]{ for(Index i=0;i<s;++i)for(Index j=0;j<s;++j){Axis ah=gradient_axis(h,i),aw=gradient_axis(h,j); Batch<T> d{dx.data()+i*H+j,C*H*H,H*H,H*s,s}; if(ah.taps*aw.taps==0){for(Index n=0;n<N;++n)for(Index c=0;c<C;++c)for(Index q=0;q<ah.outputs;++q)for(Index r=0;r<aw.outputs;++r)d.data[n*d.n+c*d.c+q*d.h+r*d.w]=0;continue;} conv(ft,C,Batch<const T>(yb),N,O,ah,aw,d);} };
  auto bw=[&]{contr(Batch<const T>(yb),O,xb,N,C,h,h,Strided<T>{dw.data(),C*k*k,1});};
  fw(); Index bad=0; for(int q=0;q<300;++q){Index n=rand()%N,m=rand()%O,r=rand()%OH,c=rand()%OH; T sum=0; for(Index ch=0;ch<C;++ch)for(Index i=0;i<k;++i)for(Index j=0;j<k;++j){Index ih=r*s-p+i,iw=c*s-p+j; if(ih>=0&&ih<H&&iw>=0&&iw<H)sum+=x(n,ch,ih,iw)*w(m,ch,i,j);} bad+=sum!=y(n,m,r,c);}
  for(Index i=0;i<y.size();++i)y.data()[i]=T(rand()%17-8);
  bx(); Index badx=0; for(int q=0;q<300;++q){Index n=rand()%N,m=rand()%C,r=rand()%H,c=rand()%H; T sum=0; for(Index ch=0;ch<O;++ch)for(Index i=0;i<k;++i)for(Index j=0;j<k;++j){Index oh=r+p-i,ow=c+p-j; if(oh>=0&&ow>=0&&oh%s==0&&ow%s==0&&oh/s<OH&&ow/s<OH)sum+=y(n,ch,oh/s,ow/s)*w(ch,m,i,j);} badx+=sum!=dx(n,m,r,c);}
  auto sc=[&]{ dx.fill(0); scatter(ft,C,Batch<const T>(yb),N,O,h,h,Batch<T>{dx.data(),C*H*H,H*H,H,1},T(1)); };
  Tensor<T,4> dxc=dx; sc(); Index bads=0; for(Index i=0;i<dx.size();++i)bads+=dx.data()[i]!=dxc.data()[i];
  double bs=1e9; {double t0=now(); do{double s0=now(); sc(); bs=std::min(bs,now()-s0);}while(now()-t0<.4);}
  bw(); Index badw=0; for(int q=0;q<20;++q){Index m=rand()%O,ch=rand()%C,i=rand()%k,j=rand()%k; T sum=0; for(Index n=0;n<N;++n)for(Index r=0;r<OH;++r)for(Index c=0;c<OH;++c){Index ih=r*s-p+i,iw=c*s-p+j; if(ih>=0&&ih<H&&iw>=0&&iw<H)sum+=x(n,ch,ih,iw)*y(n,m,r,c);} badw+=sum!=dw(m,ch,i,j);}
  double flop=2.0*double(y.size())*double(C*k*k);
  double pk=0,b[3]={1e9,1e9,1e9}; double t0=now(); do{ pk=std::max(pk,peak<T>()); double s0=now(); fw(); double s1=now(); bx(); double s2=now(); bw(); double s3=now(); b[0]=std::min(b[0],s1-s0); b[1]=std::min(b[1],s2-s1); b[2]=std::min(b[2],s3-s2);}while(now()-t0<1);
  std::printf("%-20s bad %d %d %d  fwd %3.0f%% dx %3.0f%% dw %3.0f%% of %.0f scatter bad %d %.0f%%\n",name,(int)bad,(int)badx,(int)badw,100*flop/b[0]/pk,100*flop/b[1]/pk,100*flop/b[2]/pk,pk*1e-9,(int)bads,100*flop/bs/pk);
}
int main(int c,char**v){ if(c>1)only=v[1]; set_threads(1); grouped<float>("32 groups",8,128,28,3,1,32); grouped<float>("depthwise",8,144,56,3,1,144);grouped<double>("d 32 groups",8,128,28,3,1,32);grouped<double>("d depthwise",8,144,56,3,1,144);
 run<float>("3->64 224 7x7s2",8,3,64,224,7,2,3); run<float>("64 56 3x3",8,64,64,56,3,1,1);run<float>("128 28 3x3",8,128,128,28,3,1,1);run<float>("256 14 3x3",8,256,256,14,3,1,1); run<float>("512 7 3x3",8,512,512,7,3,1,1); run<float>("64->256 56 1x1",8,64,256,56,1,1,0); run<float>("256->512 1x1 s2",8,256,512,56,1,2,0); run<float>("1->20 5x5 b64",64,1,20,28,5,1,0);run<float>("20->50 5x5 b64",64,20,50,12,5,1,0);
 run<double>("d 64 56 3x3",8,64,64,56,3,1,1); run<double>("d 512 7 3x3",8,512,512,7,3,1,1);run<double>("d 3->64",8,3,64,224,7,2,3);
}
