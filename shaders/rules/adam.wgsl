// Adam (Kingma & Ba 2015, Algorithm 1); AMSGrad (Reddi, Kale & Kumar 2018, Algorithm 2).
//
//   w ← w − ηm̂/(√v̂+ε)                         (parts/adam-moments.wgsl)

fn update(w: lane, g: lane) -> lane {
  take_moments(g);
  return w - adam_step(exp_avg);
}
